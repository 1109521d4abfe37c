#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

JailSpec patched(const JailSpec& current, const std::string& patch) {
    return value_of(merge_patch(current, parsed(patch)));
}

std::string patch_refusal(const JailSpec& current, const std::string& patch) {
    const auto error = error_of(merge_patch(current, parsed(patch)));
    return std::string(error.name()) + " " + error.field;
}

const char* const kFull = R"({
    "running": false, "hostname": "old", "command": ["a"], "labels": {"x": "1", "y": "2"},
    "network": {"interfaces": [{"network": "lan", "addresses": ["10.0.0.5/24"]}], "nameservers": ["9.9.9.9"]},
    "exec": {"timeout": 5, "env": {"PLAIN": "p", "TOKEN": {"value": "s3cret", "secret": true}}}})";

}  // namespace

TEST_CASE("a patch changes what it names and nothing else", "[model][patch]") {
    const auto before = spec(kFull);
    auto expected = before;
    expected.running = true;
    expected.exec.timeout = Milliseconds(7000);
    expected.labels = {{"x", "1"}, {"y", "3"}, {"z", "4"}};
    CHECK(patched(before, R"({"running": true, "exec": {"timeout": 7}, "labels": {"y": "3", "z": "4"}})") == expected);
    CHECK(patched(before, "{}") == before);
}

TEST_CASE("null in a patch takes a field back to its default", "[model][patch]") {
    const auto before = spec(kFull);
    CHECK(patched(before, R"({"hostname": null})").hostname.empty());
    CHECK(patched(before, R"({"running": null})").running);
    CHECK(patched(before, R"({"labels": {"x": null}})").labels == std::map<std::string, std::string>{{"y", "2"}});
    CHECK(patched(before, R"({"exec": {"env": {"TOKEN": null}}})").exec.env.size() == 1);
    CHECK(patched(before, R"({"network": null})").network == NetworkSpec{});
    CHECK(patched(before, R"({"exec": null})").exec == ExecSpec{});
}

TEST_CASE("a patch replaces an array as a whole", "[model][patch]") {
    CHECK(patched(spec(kFull), R"({"command": ["b", "c"]})").command == std::vector<std::string>{"b", "c"});
    CHECK(patched(spec(kFull), R"({"command": []})").command.empty());
}

TEST_CASE("another network mode starts from its own default interfaces", "[model][patch]") {
    const auto none = patched(spec(kFull), R"({"network": {"mode": "none"}})");
    CHECK(none.network.interfaces.empty());
    CHECK(none.network.nameservers.size() == 1);
    CHECK(patched(none, R"({"network": {"mode": "vnet"}})").network.interfaces == NetworkSpec{}.interfaces);
    // The same mode again changes nothing.
    CHECK(patched(spec(kFull), R"({"network": {"mode": "vnet"}})") == spec(kFull));
    CHECK(patch_refusal(spec(kFull), R"({"network": {"mode": "none", "interfaces": [{}]}})") ==
          "invalid_value /network/interfaces");
}

TEST_CASE("a patch is as strict as a spec", "[model][patch]") {
    const auto before = spec(kFull);
    CHECK(patch_refusal(before, R"({"name": "other"})") == "immutable_field /name");
    CHECK(patch_refusal(before, R"({"name": null})") == "immutable_field /name");
    CHECK(patch_refusal(before, R"({"nope": 1})") == "unknown_field /nope");
    CHECK(patch_refusal(before, R"({"exec": {"timeout": "x"}})") == "wrong_type /exec/timeout");
    CHECK(patch_refusal(before, R"({"exec": 5})") == "wrong_type /exec");
    CHECK(patch_refusal(before, R"({"network": []})") == "wrong_type /network");
    CHECK(patch_refusal(before, "[]") == "wrong_type ");
    CHECK(patch_refusal(before, "null") == "wrong_type ");
}

TEST_CASE("a patch nested without end is refused, not followed", "[model][patch]") {
    json deep = json::object();
    for (int i = 0; i < 1000; ++i) deep = json{{"a", std::move(deep)}};
    CHECK(error_of(merge_patch(JailSpec{}, deep)).name() == "too_deep");
}

TEST_CASE("a secret is never shown, and kept for the store", "[model][secrets]") {
    const auto made = spec(kFull);
    const auto hidden = to_json(made, Secrets::hide);
    CHECK(hidden.dump().find("s3cret") == std::string::npos);
    CHECK(hidden["exec"]["env"]["TOKEN"] == parsed(R"({"secret": true})"));
    CHECK(hidden["exec"]["env"]["PLAIN"] == "p");
    CHECK(value_of(parse_spec(to_json(made, Secrets::keep))) == made);
}

TEST_CASE("a client that writes back what it read keeps the secret", "[model][secrets]") {
    const auto before = spec(kFull);
    CHECK(value_of(replace(before, to_json(before, Secrets::hide))) == before);
    CHECK(patched(before, to_json(before, Secrets::hide).dump()) == before);
    CHECK(patched(before, R"({"exec": {"env": {"TOKEN": {"secret": true}}}})") == before);
    CHECK(patched(before, R"({"running": true})").exec.env == before.exec.env);
}

TEST_CASE("a secret is changed, dropped or made anew by its owner", "[model][secrets]") {
    const auto before = spec(kFull);
    const auto changed = patched(before, R"({"exec": {"env": {"TOKEN": {"value": "new"}}}})");
    CHECK(changed.exec.env.at("TOKEN") == EnvValue{.value = "new", .secret = true});
    // A plain value in its place is plain: it is the writer's own.
    CHECK(patched(before, R"({"exec": {"env": {"TOKEN": "new"}}})").exec.env.at("TOKEN").secret == false);
    CHECK(patched(before, R"({"exec": {"env": {"PLAIN": {"secret": true}}}})").exec.env.at("PLAIN") ==
          EnvValue{.value = "p", .secret = true});
    CHECK(value_of(replace(before, parsed("{}"))).exec.env.empty());
}

TEST_CASE("no change of the secret flag brings a value to light", "[model][secrets]") {
    const auto before = spec(kFull);
    CHECK(patch_refusal(before, R"({"exec": {"env": {"TOKEN": {"secret": false}}}})") ==
          "missing_field /exec/env/TOKEN/value");
    CHECK(patch_refusal(before, R"({"exec": {"env": {"TOKEN": {"secret": null}}}})") ==
          "missing_field /exec/env/TOKEN/value");
    CHECK_FALSE(replace(before, parsed(R"({"exec": {"env": {"TOKEN": {"secret": false}}}})")).has_value());
    // Another name has no value to keep.
    CHECK(patch_refusal(before, R"({"exec": {"env": {"OTHER": {"secret": true}}}})") ==
          "missing_field /exec/env/OTHER/value");
}

TEST_CASE("replacing takes everything that is not named back to its default", "[model][patch]") {
    CHECK(value_of(replace(spec(kFull), parsed(R"({"hostname": "new"})"))) == spec(R"({"hostname": "new"})"));
    CHECK_FALSE(replace(spec(kFull), parsed("[]")).has_value());
    CHECK_FALSE(replace(spec(kFull), parsed(R"({"exec": {"env": 5}})")).has_value());
}

TEST_CASE("only what a running jail cannot take waits for a restart", "[model][change]") {
    const auto from = spec(kFull);
    const auto [patch, fields] = GENERATE(table<std::string, std::vector<std::string>>({
        {R"({"running": true, "labels": null, "hostname": "h", "exec": {"stop": ["x"], "timeout": 9}})", {}},
        {R"({"network": {"mode": "none"}})", {"/network/mode", "/network/interfaces"}},
        {R"({"network": {"interfaces": [{"network": "wan"}]}})", {"/network/interfaces"}},
        {R"({"network": {"nameservers": [], "search": ["a"]}})", {"/network/nameservers", "/network/search"}},
        {R"({"exec": {"start": ["x"]}})", {"/exec/start"}},
        {R"({"exec": {"user": "www", "directory": "/srv"}})", {"/exec/user", "/exec/directory"}},
        {R"({"exec": {"env": {"A": "b"}}})", {"/exec/env"}},
        {R"({"command": ["b"]})", {"/command"}},
    }));
    CHECK(restart_fields_changed(from, patched(from, patch)) == fields);
}

TEST_CASE("the host's network stack is an admin's to choose, not to keep", "[model][change]") {
    const auto own = spec("{}");
    const auto shared = patched(own, R"({"network": {"mode": "inherit"}})");
    CHECK(shared.network.interfaces.empty());
    CHECK(network_for_admins(own, shared) == "network mode inherit");
    CHECK_FALSE(network_for_admins(shared, shared));
    CHECK_FALSE(network_for_admins(shared, own));
    for (const auto* raw :
         {R"({"parameters": {"allow.raw_sockets": 1}})", R"({"parameters": {"allow.noraw_sockets": false}})"}) {
        CHECK(network_for_admins(shared, patched(shared, raw)) == "raw sockets in the host's network stack");
        CHECK_FALSE(network_for_admins(patched(shared, raw), patched(shared, raw)));
        CHECK_FALSE(network_for_admins(own, patched(own, raw)));
    }
    CHECK(restart_fields_changed(own, shared) == std::vector<std::string>{"/network/mode", "/network/interfaces"});
}

TEST_CASE("addresses of the host are an admin's to choose, and change while the jail runs", "[model][change][alias]") {
    const auto own = spec("{}");
    const auto on = [&](const JailSpec& from, const std::string& address) {
        return patched(from, R"({"network": {"mode": "alias", "interfaces": [{"interface": "em0", "addresses": [")" +
                                 address + R"("]}]}})");
    };
    const auto one = on(own, "192.0.2.10");
    const auto other = on(one, "192.0.2.11");
    CHECK(network_for_admins(own, one) == "network mode alias");
    CHECK(network_for_admins(one, other) == "addresses on the host's interfaces");
    CHECK_FALSE(network_for_admins(one, one));
    CHECK_FALSE(network_for_admins(one, own));
    CHECK(restart_fields_changed(one, other).empty());
    CHECK(restart_fields_changed(own, one) == std::vector<std::string>{"/network/mode", "/network/interfaces"});
    // How it has a family is fixed when the jail is made.
    const auto six = patched(one, R"({"parameters": {"ip6": "inherit"}})");
    CHECK(restart_fields_changed(one, six) == std::vector<std::string>{"/parameters/ip6"});
    CHECK(restart_fields_changed(six, on(six, "192.0.2.11")).empty());
    CHECK(restart_fields_changed(six, other) == std::vector<std::string>{"/network/interfaces", "/parameters/ip6"});
    CHECK(parameter_for_admins(one.parameters, six.parameters) == "ip6");
    CHECK_FALSE(parameter_for_admins({}, {{"ip4", std::string("disable")}, {"ip6", std::string("new")}}));
}

TEST_CASE("a jail keeps its root and its template", "[model][change]") {
    const auto from = spec("{}");
    const auto field = [&](const char* to) {
        const auto error = error_of(check_immutable(from, spec(to)));
        CHECK(error.name() == "immutable_field");
        return error.field;
    };
    CHECK(check_immutable(from, spec(kFull)).has_value());
    CHECK(field(R"({"template": "other"})") == "/template");
    CHECK(field(R"({"root": {"kind": "path", "path": "/x"}})") == "/template");
    const auto path = spec(R"({"root": {"kind": "path", "path": "/x"}})");
    const auto other = spec(R"({"root": {"kind": "path", "path": "/y"}})");
    CHECK(error_of(check_immutable(path, other)).field == "/root");
}
