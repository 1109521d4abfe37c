#include "core/model/parameters.h"

#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

model::Parameters parameters(const std::string& text) {
    return spec(R"({"parameters": )" + text + "}").parameters;
}

std::string with_parameters(const std::string& text) {
    return refusal(R"({"parameters": )" + text + "}");
}

}  // namespace

TEST_CASE("parameters are booleans, whole numbers, strings and addresses, by jail(8)'s own names",
          "[model][parameters]") {
    const auto all = parameters(R"({"allow.raw_sockets": true, "allow.nomount": true, "securelevel": -1,
                                    "host.hostid": 18446744073709551615, "sysvmsg": "new", "x.addr": ["192.0.2.1", "::1"],
                                    "y.addr": []})");
    CHECK(all.at("allow.raw_sockets") == ParameterValue(true));
    CHECK(all.at("securelevel") == ParameterValue(std::int64_t{-1}));
    CHECK(all.at("host.hostid") == ParameterValue(std::uint64_t{18446744073709551615ULL}));
    CHECK(all.at("sysvmsg") == ParameterValue(std::string("new")));
    CHECK(std::get<std::vector<IpAddress>>(all.at("x.addr")).size() == 2);
    CHECK(std::get<std::vector<IpAddress>>(all.at("y.addr")).empty());
    CHECK(parameters("{}").empty());
}

TEST_CASE("what is no value of a parameter is refused where it stands", "[model][parameters]") {
    CHECK(with_parameters(R"({"securelevel": 1.5})") == "wrong_type /parameters/securelevel");
    CHECK(with_parameters(R"({"securelevel": null})") == "wrong_type /parameters/securelevel");
    CHECK(with_parameters(R"({"securelevel": {}})") == "wrong_type /parameters/securelevel");
    CHECK(with_parameters(R"({"x.addr": ["192.0.2.1", "nowhere"]})") == "invalid_address /parameters/x.addr/1");
    CHECK(with_parameters(R"({"x.addr": [7]})") == "wrong_type /parameters/x.addr/0");
    CHECK(with_parameters(R"({"osrelease": "14.0\n"})") == "invalid_value /parameters/osrelease");
    CHECK(with_parameters(R"([])") == "wrong_type /parameters");
    for (const auto* name : {"", ".", "a.", ".a", "a..b", "a b", "a/b", "a=b", "größe"}) {
        const json document{{"parameters", {{name, true}}}};
        INFO(name);
        CHECK(refusal_of(document).starts_with("invalid_value /parameters/"));
    }
}

TEST_CASE("a parameter and its \"no\" form are one parameter", "[model][parameters]") {
    CHECK(with_parameters(R"({"allow.mount": true, "allow.nomount": true})") ==
          "invalid_value /parameters/allow.nomount");
    CHECK(without_no("allow.nomount") == "allow.mount");
    CHECK(without_no("nopersist") == "persist");
    CHECK(without_no("allow.mount").empty());
    CHECK(without_no("no").empty());
    CHECK(with_no("allow.mount.nullfs") == "allow.mount.nonullfs");
    CHECK(with_no("persist") == "nopersist");
}

TEST_CASE("what jaild sets itself is refused, with the field that is for it", "[model][parameters]") {
    const auto* name = GENERATE("name", "jid", "path", "host.hostname", "vnet", "vnet.interface", "persist",
                                "nopersist", "ip4.addr", "ip6.addr", "interface", "meta", "meta.owner", "devfs_ruleset",
                                "dying", "nodying", "children.cur", "cpuset.id", "parent", "exec.start", "mount.devfs",
                                "mount", "command", "allow.nosuser", "errmsg", "lastjid", "host", "zfs.dataset");
    const json document{{"parameters", {{name, true}}}};
    const auto error = error_of(parse_spec(document));
    CAPTURE(name, error.to_string());
    CHECK(error.name() == "reserved_parameter");
    CHECK(error.field == "/parameters/" + std::string(name));
    CHECK_FALSE(error.remedy.empty());
}

TEST_CASE("names that only look like reserved ones are parameters", "[model][parameters]") {
    CHECK(
        parameters(R"({"host.hostuuid": "x", "ip4.saddrsel": false, "mountain": 1, "metal": 1, "paths": 1})").size() ==
        5);
}

TEST_CASE("the count of parameters, the length of names and texts and of lists is bounded", "[model][parameters]") {
    json many = json::object();
    for (std::size_t i = 0; i < ParameterLimits::entries; ++i) many["p" + std::to_string(i)] = 1;
    CHECK(parse_spec({{"parameters", many}}).has_value());
    many["one_more"] = 1;
    CHECK(refusal_of({{"parameters", many}}) == "too_many /parameters");
    const std::string longest(ParameterLimits::name_bytes, 'x');
    CHECK(parse_spec({{"parameters", {{longest, 1}}}}).has_value());
    CHECK(refusal_of({{"parameters", {{longest + "x", 1}}}}) == "too_long /parameters/" + longest + "x");
    CHECK(refusal_of({{"parameters", {{"x", std::string(ParameterLimits::text_bytes + 1, 'x')}}}}) ==
          "too_long /parameters/x");
    const std::vector<std::string> addresses(ParameterLimits::addresses + 1, "192.0.2.1");
    CHECK(refusal_of({{"parameters", {{"x", addresses}}}}) == "too_many /parameters/x");
}

TEST_CASE("a devfs ruleset is a number; a list of paths is not supported yet", "[model][parameters]") {
    CHECK(spec(R"({"devfs_ruleset": 65535})").devfs_ruleset == 65'535);
    CHECK(spec("{}").devfs_ruleset == std::nullopt);
    CHECK_FALSE(to_json(spec("{}"), Secrets::hide).contains("devfs_ruleset"));
    for (const auto* wrong : {"0", "-1", "65536", "18446744073709551615"})
        CHECK(refusal(std::string(R"({"devfs_ruleset": )") + wrong + "}") == "invalid_value /devfs_ruleset");
    CHECK(refusal(R"({"devfs_ruleset": "4"})") == "wrong_type /devfs_ruleset");
    CHECK(refusal(R"({"devfs_ruleset": 4.0})") == "wrong_type /devfs_ruleset");
    CHECK(refusal(R"({"devfs_ruleset": ["bpf"]})") == "wrong_type /devfs_ruleset");
}

TEST_CASE("a live parameter does not wait; what only a new jail gets does", "[model][parameters]") {
    const auto before = parameters(R"({"allow.mount": true, "securelevel": 0, "osrelease": "14.0-RELEASE"})");
    const auto waits = [&](const std::string& after) { return parameters_for_restart(before, parameters(after)); };
    using Pointers = std::vector<std::string>;

    CHECK(waits(R"({"allow.mount": false, "securelevel": 1, "osrelease": "14.0-RELEASE", "children.max": 3})") ==
          Pointers{});
    CHECK(waits(R"({"allow.mount": 1, "securelevel": 0, "osrelease": "14.1-RELEASE"})") ==
          Pointers{"/parameters/osrelease"});
    CHECK(waits(R"({"allow.nomount": false, "securelevel": 0, "osrelease": "14.0-RELEASE"})") == Pointers{});
    CHECK(waits(R"({"securelevel": 0, "osreldate": 1400097})") ==
          Pointers{"/parameters/allow.mount", "/parameters/osreldate", "/parameters/osrelease"});
}

TEST_CASE("a running jail has its new live parameters, and keeps what only a restart takes away",
          "[model][parameters]") {
    const auto made = parameters(R"({"allow.mount": true, "allow.chflags": true, "osrelease": "14.0-RELEASE"})");
    const auto row =
        parameters(R"({"allow.nomount": true, "securelevel": 1, "osrelease": "14.1-RELEASE", "osreldate": 7})");
    CHECK(running_parameters(made, row) ==
          parameters(R"({"allow.nomount": true, "allow.chflags": true, "securelevel": 1,
                                                          "osrelease": "14.0-RELEASE"})"));
    CHECK(running_parameters(running_parameters(made, row), row) == running_parameters(made, row));
}

TEST_CASE("a merge patch changes one parameter and takes another away", "[model][parameters]") {
    const auto before = spec(R"({"parameters": {"allow.mount": true, "securelevel": 2}, "devfs_ruleset": 10})");
    const auto after = value_of(merge_patch(
        before, parsed(R"({"parameters": {"allow.mount": null, "securelevel": 3}, "devfs_ruleset": null})")));
    CHECK(after.parameters == parameters(R"({"securelevel": 3})"));
    CHECK(after.devfs_ruleset == std::nullopt);
    CHECK(restart_fields_changed(before, after) ==
          std::vector<std::string>{"/devfs_ruleset", "/parameters/allow.mount"});
}

TEST_CASE("what lets a jail see or disturb more of the host is for admins, and nothing else is",
          "[model][parameters]") {
    const auto chosen = [](const std::string& to, const std::string& from = "{}") {
        return parameter_for_admins(parameters(from), parameters(to)).value_or("");
    };
    for (const auto* anybodys :
         {R"({})", R"({"allow.raw_sockets": true})", R"({"allow.raw_sockets": 1})", R"({"allow.noraw_sockets": true})",
          R"({"allow.mount": false})", R"({"allow.mount": 0})", R"({"securelevel": 3})", R"({"sysvmsg": "new"})",
          R"({"sysvshm": "disable"})", R"({"host.hostid": 7})", R"({"osrelease": "13.2-RELEASE"})"})
        CHECK(chosen(anybodys).empty());
    for (const auto& [name, value] :
         std::initializer_list<std::pair<std::string, std::string>>{{"allow.mount", "true"},
                                                                    {"allow.mount", "1"},
                                                                    {"allow.mount", "2"},
                                                                    {"allow.read_msgbuf", "true"},
                                                                    {"allow.socket_af", "true"},
                                                                    {"allow.notify", "true"},
                                                                    {"allow.sysvipc", "true"},
                                                                    {"sysvshm", R"("inherit")"},
                                                                    {"sysvshm", "2"},
                                                                    {"enforce_statfs", "0"},
                                                                    {"children.max", "3"},
                                                                    {"linux.osname", R"("x")"}}) {
        const auto text = R"({")" + name + R"(": )" + value + "}";
        INFO(text);
        CHECK(chosen(text) == name);
        // What an admin chose stays when somebody else changes the jail, and he may take it away.
        CHECK(chosen(text, text).empty());
        CHECK(chosen("{}", text).empty());
    }
    CHECK(chosen(R"({"enforce_statfs": 0})", R"({"enforce_statfs": 1})") == "enforce_statfs");
}
