#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

TEST_CASE("an empty spec is a running jail of template host with its own network stack", "[model][spec]") {
    const auto made = spec("{}");
    CHECK(made == JailSpec{});
    CHECK(made.running);
    CHECK(made.template_name == "host");
    CHECK(made.network.mode == NetworkMode::vnet);
    CHECK(made.network.interfaces.size() == 1);
    CHECK(made.network.interfaces[0].network == "default");
}

TEST_CASE("every field is read", "[model][spec]") {
    const auto named = value_of(parse_named_spec(parsed(R"({
        "name": "web", "running": false, "template": "host", "root": {"kind": "thin"}, "hostname": "web.example.org",
        "network": {"mode": "vnet", "interfaces": [{"network": "lan", "addresses": ["10.1.2.3/24", "fd00::3/64"]}],
                    "nameservers": ["9.9.9.9", "2620:fe::fe"], "search": ["example.org"]},
        "exec": {"start": ["/bin/sh", "/etc/rc"], "stop": ["/bin/sh", "/etc/rc.shutdown"], "timeout": 5, "user": "www",
                 "directory": "/srv", "env": {"A": "1", "B": {"value": "2"}, "C": {"value": "3", "secret": true}}},
        "command": ["httpd", "-f"], "restart": "no", "labels": {"tier": "front", "empty": ""}})")));
    CHECK(named.name.text() == "web");
    const auto& made = named.spec;
    CHECK_FALSE(made.running);
    CHECK(made.hostname == "web.example.org");
    CHECK(made.network.interfaces.at(0).network == "lan");
    CHECK(made.network.interfaces.at(0).addresses.at(1).to_string() == "fd00::3/64");
    CHECK(made.network.nameservers.at(1).to_string() == "2620:fe::fe");
    CHECK(made.network.search == std::vector<std::string>{"example.org"});
    CHECK(made.exec.stop.at(1) == "/etc/rc.shutdown");
    CHECK(made.exec.timeout == Milliseconds(5000));
    CHECK(made.exec.user == "www");
    CHECK(made.exec.directory == "/srv");
    CHECK(made.exec.env.at("B") == EnvValue{.value = "2", .secret = false});
    CHECK(made.exec.env.at("C") == EnvValue{.value = "3", .secret = true});
    CHECK(made.command.at(1) == "-f");
    CHECK(made.labels.at("tier") == "front");
}

TEST_CASE("a path root has a path and no template", "[model][spec]") {
    const auto made = spec(R"({"root": {"kind": "path", "path": "/jails/web"}})");
    CHECK(made.root == RootSpec{.kind = RootKind::path, .path = "/jails/web"});
    CHECK(made.template_name.empty());
    CHECK(spec(R"({"template": "", "root": {"kind": "path", "path": "/jails/web"}})") == made);
    CHECK(refusal(R"({"template": "host", "root": {"kind": "path", "path": "/x"}})") ==
          "template_with_path_root /template");
    CHECK(refusal(R"({"root": {"kind": "path"}})") == "missing_field /root/path");
    CHECK(refusal(R"({"root": {"path": "/x"}})") == "path_without_path_root /root/path");
}

TEST_CASE("a root has a quota, a reservation and a compression, or none of them", "[model][spec]") {
    CHECK(spec("{}").root.storage == Storage{});
    const auto made = spec(R"({"root": {"quota": "10G", "reservation": 1073741824, "compression": "zstd-9"}})");
    CHECK(made.root.storage == Storage{.quota = {10ULL << 30}, .reservation = {1ULL << 30}, .compression = "zstd-9"});
    CHECK(to_json(made, Secrets::hide)["root"] ==
          json{{"kind", "thin"}, {"quota", "10G"}, {"reservation", "1G"}, {"compression", "zstd-9"}});
    CHECK(value_of(parse_spec(to_json(made, Secrets::keep))) == made);
    CHECK(value_of(merge_patch(made, json::parse(R"({"root": {"quota": null, "compression": "off"}})"))).root.storage ==
          Storage{.quota = {}, .reservation = {1ULL << 30}, .compression = "off"});
    // Two names of one thing, of which zfs-get(8) answers with the first.
    CHECK(spec(R"({"root": {"compression": "gzip-6"}})").root.storage.compression == "gzip");
    CHECK(spec(R"({"root": {"compression": "zstd-fast-1"}})").root.storage.compression == "zstd-fast");
    CHECK(refusal(R"({"root": {"quota": "1G", "reservation": "2G"}})") == "reservation_above_quota /root/reservation");
    for (const char* bad : {"0", "1023", "-1", "9223372036854775808", "\"1K\"", "\"8E\""})
        CHECK(refusal(std::string(R"({"root": {"quota": )") + bad + "}}").ends_with(" /root/quota"));
    for (const char* bad : {"", "zip", "gzip-0", "gzip-10", "zstd-20", "zstd-fast-11", "lz4 ", "LZ4"})
        CHECK(refusal(std::string(R"({"root": {"compression": ")") + bad + "\"}}").ends_with(" /root/compression"));
}

TEST_CASE("storage is changed while a jail runs, its kind is not", "[model][spec]") {
    const auto before = spec("{}");
    const auto after = spec(R"({"root": {"quota": "1G", "compression": "lz4"}})");
    CHECK(restart_fields_changed(before, after).empty());
    value_of(check_immutable(before, after));
    CHECK(error_of(check_immutable(before, spec(R"({"template": "a:1", "root": {"kind": "copy"}})"))).reason ==
          "immutable_field");
}

TEST_CASE("a jail without network has no interface", "[model][spec]") {
    CHECK(spec(R"({"network": {"mode": "none"}})").network.interfaces.empty());
    CHECK(spec(R"({"network": {"mode": "none", "interfaces": []}})").network.interfaces.empty());
    CHECK(refusal(R"({"network": {"mode": "none", "interfaces": [{}]}})") == "invalid_value /network/interfaces");
    CHECK(refusal(R"({"network": {"interfaces": []}})") == "invalid_value /network/interfaces");
    CHECK(spec(R"({"network": {"interfaces": [{}, {"network": "lan"}]}})").network.interfaces.at(1).network == "lan");
    CHECK(spec(R"({"network": {"interfaces": [{}, {}, {}, {}, {}, {}, {}, {}]}})").network.interfaces.size() == 8);
    CHECK(refusal(R"({"network": {"interfaces": [{}, {}, {}, {}, {}, {}, {}, {}, {}]}})") ==
          "too_many /network/interfaces");
}

TEST_CASE("an interface may have a MAC address, an MTU and a name of its own", "[model][spec]") {
    const auto of = [](const std::string& fields) { return R"({"network": {"interfaces": [{}, {)" + fields + "}]}}"; };
    const auto one = spec(of(R"("mac": "0A:bc:00:00:00:01", "mtu": 1400, "name": "lan0")")).network.interfaces.at(1);
    CHECK(one.mac == "0a:bc:00:00:00:01");
    CHECK(one.mtu == 1400);
    CHECK(one.name_at(1) == "lan0");
    CHECK(spec(of("")).network.interfaces.at(1).name_at(1) == "vnet1");
    const auto read_back =
        parse_spec(to_json(spec(of(R"("mac": "06:00:00:00:00:01", "name": "a.b-c_d")")), Secrets::keep));
    REQUIRE(read_back);
    CHECK(*read_back == spec(of(R"("mac": "06:00:00:00:00:01", "name": "a.b-c_d")")));

    const std::string at = " /network/interfaces/1/";
    for (const auto* mac : {"", "06:00:00:00:00", "06:00:00:00:00:0g", "06-00-00-00-00-01", "06:00:00:00:00:01:02",
                            "07:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "02:00:00:00:00:01"}) {
        INFO(mac);
        CHECK(refusal(of(std::string(R"("mac": ")") + mac + "\"")) == "invalid_mac" + at + "mac");
    }
    CHECK(refusal(of(R"("mac": 6)")) == "wrong_type" + at + "mac");
    CHECK(refusal(of(R"("mtu": 1279)")) == "invalid_value" + at + "mtu");
    CHECK(refusal(of(R"("mtu": 65536)")) == "invalid_value" + at + "mtu");
    CHECK(refusal(of(R"("mtu": "1500")")) == "wrong_type" + at + "mtu");
    for (const auto* name : {"lo", "lo0", "all", "default", "0a", "a b", "a/b", "a:b", "-a", "vnet0"}) {
        INFO(name);
        CHECK(refusal(of(std::string(R"("name": ")") + name + "\"")) == "invalid_value" + at + "name");
    }
    CHECK(refusal(of(R"("name": "a234567890123456")")) == "too_long" + at + "name");
}

TEST_CASE("an interface may learn its addresses, and then nothing may need to know them", "[model][spec]") {
    const auto of = [](const std::string& fields, const std::string& beside = {}) {
        return R"({"network": {"interfaces": [{}, {)" + fields + "}]}" + beside + "}";
    };
    CHECK(spec(of(R"("ipv4": "dhcp", "addresses": ["fd00::3/64"])")).network.interfaces.at(1).learns(Family::ipv4));
    const auto learning = spec(of(R"("ipv6": "slaac", "addresses": ["10.0.0.3/24"])"));
    const auto& one = learning.network.interfaces.at(1);
    CHECK(one.learns(Family::ipv6));
    CHECK_FALSE(one.learns(Family::ipv4));
    CHECK_FALSE(learning.network.interfaces.at(0).learns(Family::ipv6));
    const auto read_back = parse_spec(to_json(learning, Secrets::keep));
    REQUIRE(read_back);
    CHECK(*read_back == learning);
    CHECK_FALSE(to_json(spec(of("")), Secrets::keep)["network"]["interfaces"][1].contains("ipv6"));

    const std::string at = " /network/interfaces/1/";
    CHECK(refusal(of(R"("ipv4": "slaac")")) == "invalid_value" + at + "ipv4");
    CHECK(refusal(of(R"("ipv4": "dhcp", "addresses": ["10.0.0.3/24"])")) == "learned_address" + at + "addresses/0");
    CHECK(refusal(of(R"("ipv4": "dhcp")", R"(, "publish": [{"host_port": 80}])")) == "learned_address /publish");
    CHECK(refusal(of(R"("ipv6": "dhcp")")) == "invalid_value" + at + "ipv6");
    CHECK(refusal(of(R"("ipv6": true)")) == "wrong_type" + at + "ipv6");
    CHECK(refusal(of(R"("ipv6": "slaac", "addresses": ["10.0.0.3/24", "fd00::3/64"])")) ==
          "learned_address" + at + "addresses/1");
    CHECK(refusal(of(R"("ipv6": "slaac")", R"(, "publish": [{"host_port": 80}])")) == "learned_address /publish");
    CHECK(refusal(of(R"("ipv6": "slaac")", R"(, "firewall": {"egress": {"default": "deny"}})")) ==
          "learned_address /firewall");
}

TEST_CASE("an unknown field is refused at every level, with its path", "[model][spec]") {
    const auto [text, at] = GENERATE(table<std::string, std::string>({
        {R"({"nmae": "x"})", "/nmae"},
        {R"({"name": "x"})", "/name"},
        {R"({"a/b~c": 1})", "/a~1b~0c"},
        {R"({"": 1})", "/"},
        {R"({"root": {"kinds": "thin"}})", "/root/kinds"},
        {R"({"network": {"driver": "epair"}})", "/network/driver"},
        {R"({"network": {"interfaces": [{"vlan": 1}]}})", "/network/interfaces/0/vlan"},
        {R"({"exec": {"prepare": []}})", "/exec/prepare"},
        {R"({"exec": {"env": {"A": {"value": "x", "hidden": true}}}})", "/exec/env/A/hidden"},
    }));
    CHECK(refusal(text) == "unknown_field " + at);
}

TEST_CASE("a value of another type is refused, null included", "[model][spec]") {
    const auto [text, at] = GENERATE(table<std::string, std::string>({
        {"[]", ""},
        {"null", ""},
        {"\"web\"", ""},
        {R"({"running": 1})", "/running"},
        {R"({"running": null})", "/running"},
        {R"({"template": 5})", "/template"},
        {R"({"root": "thin"})", "/root"},
        {R"({"root": {"kind": true}})", "/root/kind"},
        {R"({"hostname": []})", "/hostname"},
        {R"({"network": "none"})", "/network"},
        {R"({"network": {"mode": {}}})", "/network/mode"},
        {R"({"network": {"interfaces": {}}})", "/network/interfaces"},
        {R"({"network": {"interfaces": ["default"]}})", "/network/interfaces/0"},
        {R"({"network": {"interfaces": [{"network": 1}]}})", "/network/interfaces/0/network"},
        {R"({"network": {"interfaces": [{"addresses": "10.0.0.1/8"}]}})", "/network/interfaces/0/addresses"},
        {R"({"network": {"interfaces": [{"addresses": [1]}]}})", "/network/interfaces/0/addresses/0"},
        {R"({"network": {"nameservers": [1]}})", "/network/nameservers/0"},
        {R"({"exec": []})", "/exec"},
        {R"({"exec": {"start": "sh"}})", "/exec/start"},
        {R"({"exec": {"start": ["sh", 1]}})", "/exec/start/1"},
        {R"({"exec": {"timeout": "5"}})", "/exec/timeout"},
        {R"({"exec": {"timeout": 1.5}})", "/exec/timeout"},
        {R"({"exec": {"env": []}})", "/exec/env"},
        {R"({"exec": {"env": {"A": 1}}})", "/exec/env/A"},
        {R"({"exec": {"env": {"A": {"value": "x", "secret": "yes"}}}})", "/exec/env/A/secret"},
        {R"({"command": "httpd"})", "/command"},
        {R"({"restart": false})", "/restart"},
        {R"({"restart": {"policy": 1}})", "/restart/policy"},
        {R"({"restart": {"delay": "1"}})", "/restart/delay"},
        {R"({"restart": {"window": 1.5}})", "/restart/window"},
        {R"({"restart": {"max_retries": "5"}})", "/restart/max_retries"},
        {R"({"labels": ["a"]})", "/labels"},
        {R"({"labels": {"a": null}})", "/labels/a"},
    }));
    CHECK(refusal(text) == "wrong_type " + at);
}

TEST_CASE("a value that no jail can have is refused", "[model][spec]") {
    const auto [text, expected] = GENERATE(table<std::string, std::string>({
        {R"({"template": ""})", "invalid_name /template"},
        {R"({"template": "../host"})", "invalid_name /template"},
        {R"({"root": {"kind": "zfs"}})", "invalid_value /root/kind"},
        {R"({"hostname": "-a"})", "invalid_value /hostname"},
        {R"({"hostname": "a..b"})", "invalid_value /hostname"},
        {R"({"hostname": "a."})", "invalid_value /hostname"},
        {R"({"hostname": "a_b"})", "invalid_value /hostname"},
        {R"({"hostname": "a b"})", "invalid_value /hostname"},
        {R"({"network": {"mode": "bridge"}})", "invalid_value /network/mode"},
        {R"({"network": {"interfaces": [{"network": "a.b"}]}})", "invalid_name /network/interfaces/0/network"},
        {R"({"network": {"interfaces": [{"addresses": ["10.0.0.1"]}]}})",
         "invalid_prefix /network/interfaces/0/addresses/0"},
        {R"({"network": {"interfaces": [{"addresses": ["host/24"]}]}})",
         "invalid_address /network/interfaces/0/addresses/0"},
        {R"({"network": {"interfaces": [{"addresses": ["10.0.0.1/8", "10.0.0.2/8"]}]}})",
         "too_many /network/interfaces/0/addresses/1"},
        {R"({"network": {"nameservers": ["dns.example.org"]}})", "invalid_address /network/nameservers/0"},
        {R"({"network": {"search": ["a/b"]}})", "invalid_value /network/search/0"},
        {R"({"network": {"search": [""]}})", "invalid_value /network/search/0"},
        {R"({"exec": {"start": [""]}})", "invalid_value /exec/start/0"},
        {R"({"exec": {"timeout": 0}})", "invalid_value /exec/timeout"},
        {R"({"exec": {"timeout": -1}})", "invalid_value /exec/timeout"},
        {R"({"exec": {"timeout": 18446744073709551615}})", "invalid_value /exec/timeout"},
        {R"({"exec": {"user": ""}})", "invalid_value /exec/user"},
        {R"({"exec": {"user": "-u"}})", "invalid_value /exec/user"},
        {R"({"exec": {"user": "a:b"}})", "invalid_value /exec/user"},
        {R"({"exec": {"directory": "srv"}})", "invalid_path /exec/directory"},
        {R"({"exec": {"directory": ""}})", "invalid_path /exec/directory"},
        {R"({"exec": {"env": {"1A": "x"}}})", "invalid_value /exec/env/1A"},
        {R"({"exec": {"env": {"A=B": "x"}}})", "invalid_value /exec/env/A=B"},
        {R"({"exec": {"env": {"": "x"}}})", "invalid_value /exec/env/"},
        {R"({"exec": {"env": {"A": {"secret": true}}}})", "missing_field /exec/env/A/value"},
        {R"({"restart": "sometimes"})", "invalid_value /restart"},
        {R"({"restart": {"policy": "unless-stopped"}})", "invalid_value /restart/policy"},
        {R"({"restart": {"delay": 0}})", "invalid_value /restart/delay"},
        {R"({"restart": {"delay": 86401}})", "invalid_value /restart/delay"},
        {R"({"restart": {"delay": 5, "max_delay": 4}})", "invalid_value /restart/max_delay"},
        {R"({"restart": {"max_retries": 0}})", "invalid_value /restart/max_retries"},
        {R"({"restart": {"max_retries": 1001}})", "invalid_value /restart/max_retries"},
        {R"({"restart": {"retries": 5}})", "unknown_field /restart/retries"},
        {R"({"labels": {"": "x"}})", "invalid_value /labels/"},
        {R"({"labels": {"a=b": "x"}})", "invalid_value /labels/a=b"},
    }));
    CHECK(refusal(text) == expected);
}

TEST_CASE("a root's path is absolute, normalized and not the host's root", "[model][spec]") {
    const auto path = GENERATE(as<std::string>{}, "/", "//", "", "jails/web", "/jails/", "/jails//web", "/jails/../etc",
                               "/jails/.", "/..");
    CHECK(refusal_of(json{{"root", {{"kind", "path"}, {"path", path}}}}) == "invalid_path /root/path");
}

TEST_CASE("a control character is refused wherever a text goes to a kernel, a file or a terminal", "[model][spec]") {
    const auto bad =
        GENERATE(as<std::string>{}, std::string("a\0b", 3), "a\nb", "a\x1b[2J", "a\x7f", "a\tb", "a\xc2\x9b");
    CHECK(refusal_of(json{{"hostname", bad}}) == "invalid_value /hostname");
    CHECK(refusal_of(json{{"root", {{"kind", "path"}, {"path", "/" + bad}}}}) == "invalid_value /root/path");
    CHECK(refusal_of(json{{"exec", {{"user", bad}}}}) == "invalid_value /exec/user");
    CHECK(refusal_of(json{{"exec", {{"directory", "/" + bad}}}}) == "invalid_value /exec/directory");
    CHECK(refusal_of(json{{"exec", {{"env", {{bad, "x"}}}}}}).starts_with("invalid_value /exec/env/"));
    CHECK(refusal_of(json{{"labels", {{"a", bad}}}}) == "invalid_value /labels/a");
    CHECK(refusal_of(json{{"labels", {{bad, "x"}}}}).starts_with("invalid_value /labels/"));
    CHECK(refusal_of(json{{"network", {{"search", json::array({bad})}}}}) == "invalid_value /network/search/0");
}

TEST_CASE("arguments and values of the environment are scripts too: only NUL is refused in them", "[model][spec]") {
    const std::string script = "set -e\n\tprintf '\x1b[1mbold\x1b[0m'\n";
    const auto made = value_of(
        parse_spec(json{{"command", {"sh", "-c", script}}, {"exec", {{"start", {script}}, {"env", {{"A", script}}}}}}));
    CHECK(made.command.at(2) == script);
    CHECK(made.exec.start.at(0) == script);
    CHECK(made.exec.env.at("A").value == script);

    const std::string bad("a\0b", 3);
    CHECK(refusal_of(json{{"command", {"sh", bad}}}) == "invalid_value /command/1");
    CHECK(refusal_of(json{{"exec", {{"start", json::array({bad})}}}}) == "invalid_value /exec/start/0");
    CHECK(refusal_of(json{{"exec", {{"env", {{"A", bad}}}}}}) == "invalid_value /exec/env/A");
    CHECK(refusal_of(json{{"exec", {{"env", {{"A", {{"value", bad}}}}}}}}) == "invalid_value /exec/env/A/value");
}

TEST_CASE("letters beyond ASCII are welcome where they mean nothing to the system", "[model][spec]") {
    const auto made =
        spec(R"({"labels": {"größe": "groß"}, "command": ["echo", "héllo €"], "exec": {"env": {"A": "ü"}}})");
    CHECK(made.labels.at("größe") == "groß");
    CHECK(made.command.at(1) == "héllo €");
}

TEST_CASE("a jail in the host's network stack has nothing that needs one of its own", "[model][spec]") {
    const auto made =
        spec(R"({"network": {"mode": "inherit", "nameservers": ["192.0.2.53"], "search": ["a.example"]}})");
    CHECK(made.network.mode == NetworkMode::inherit);
    CHECK(made.network.interfaces.empty());
    CHECK(made.network.nameservers.size() == 1);

    const auto with = [](const char* field, const json& value) {
        return refusal_of(json{{"network", {{"mode", "inherit"}}}, {field, value}});
    };
    CHECK(refusal_of(json{{"network", {{"mode", "inherit"}, {"interfaces", json::array({json::object()})}}}}) ==
          "invalid_value /network/interfaces");
    CHECK(with("publish", json::array({{{"host_port", 80}}})) == "invalid_value /publish");
    CHECK(with("firewall", {{"ingress", {{"default", "deny"}}}}) == "invalid_value /firewall");
    CHECK(with("firewall", {{"egress", {{"default", "allow"}}}}) == "invalid_value /firewall");
}

TEST_CASE("addresses on interfaces of the host are /32 and /128 unless the spec says more", "[model][spec][alias]") {
    const auto made = spec(R"({"network": {"mode": "alias", "interfaces": [
        {"interface": "lo1", "addresses": ["127.0.1.1"]},
        {"interface": "em0", "addresses": ["192.0.2.10/24", "2001:db8::10", "192.0.2.11"]}]}})");
    REQUIRE(made.network.interfaces.size() == 2);
    CHECK(made.network.interfaces.at(0) ==
          InterfaceSpec{.network = "", .interface = "lo1", .addresses = {value_of(Prefix::parse("127.0.1.1/32"))}});
    CHECK(made.network.interfaces.at(1).addresses == std::vector{value_of(Prefix::parse("192.0.2.10/24")),
                                                                 value_of(Prefix::parse("2001:db8::10/128")),
                                                                 value_of(Prefix::parse("192.0.2.11/32"))});
    CHECK(spec(to_json(made, Secrets::keep).dump()) == made);
}

TEST_CASE("what no interface of the host can lend is refused with its field", "[model][spec][alias]") {
    const auto refused = [](const json& interfaces) {
        return refusal_of(json{{"network", {{"mode", "alias"}, {"interfaces", interfaces}}}});
    };
    const auto on_em0 = [&](const json& addresses) {
        return refused(json::array({{{"interface", "em0"}, {"addresses", addresses}}}));
    };
    const std::string at = " /network/interfaces/0/addresses/0";
    CHECK(refusal_of(parsed(R"({"network": {"mode": "alias"}})")) == "invalid_value /network/interfaces");
    CHECK(refused(json::array()) == "invalid_value /network/interfaces");
    CHECK(refused(json::array({{{"addresses", {"192.0.2.1"}}}})) == "missing_field /network/interfaces/0/interface");
    CHECK(refused(json::array({{{"interface", "em0"}}})) == "missing_field /network/interfaces/0/addresses");
    CHECK(refused(json::array({{{"interface", "em 0"}, {"addresses", {"192.0.2.1"}}}})) ==
          "invalid_value /network/interfaces/0/interface");
    CHECK(refused(json::array({{{"interface", "em0"}, {"addresses", {"192.0.2.1"}}, {"mac", "06:00:00:00:00:01"}}})) ==
          "unknown_field /network/interfaces/0/mac");
    CHECK(on_em0(json::array()) == "invalid_value /network/interfaces/0/addresses");
    CHECK(on_em0({"192.0.2.300"}) == "invalid_address" + at);
    CHECK(on_em0({"192.0.2.3/33"}) == "invalid_prefix" + at);
    CHECK(on_em0({"192.0.2.3/0"}) == "invalid_prefix" + at);
    for (const auto* address : {"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1"})
        CHECK(on_em0(json::array({address})) == "invalid_address" + at);
    CHECK(on_em0({"192.0.2.3", "192.0.2.3/24"}) == "address_in_use /network/interfaces/0/addresses/1");
    const json em0{{"interface", "em0"}, {"addresses", {"192.0.2.3"}}};
    CHECK(refused({em0, em0}) == "invalid_value /network/interfaces/1/interface");
    CHECK(refused({em0, {{"interface", "lo1"}, {"addresses", {"192.0.2.3"}}}}) ==
          "address_in_use /network/interfaces/1/addresses/0");
    CHECK(refusal_of(json{{"network", {{"mode", "alias"}, {"interfaces", {em0}}}},
                          {"publish", json::array({{{"host_port", 80}}})}}) == "invalid_value /publish");
    CHECK(refusal_of(parsed(R"({"network": {"interfaces": [{"interface": "em0"}]}})")) ==
          "unknown_field /network/interfaces/0/interface");
}

TEST_CASE("ip4 and ip6 say how a jail in the host's network stack has a family", "[model][spec][alias]") {
    const auto with = [](const json& network, const json& parameters) {
        return json{{"network", network}, {"parameters", parameters}};
    };
    const json vnet{{"mode", "vnet"}};
    const json inherit{{"mode", "inherit"}};
    const json alias{{"mode", "alias"},
                     {"interfaces", json::array({{{"interface", "em0"}, {"addresses", {"192.0.2.10"}}}})}};
    for (const auto& [network, parameters] :
         {std::pair(inherit, json{{"ip4", "disable"}}),
          std::pair(inherit, json{{"ip4", "inherit"}, {"ip6", "disable"}}),
          std::pair(alias, json{{"ip4", "new"}, {"ip6", "inherit"}}), std::pair(alias, json{{"ip6", "disable"}}),
          std::pair(alias, json{{"ip6", "new"}})}) {
        const auto made = value_of(parse_spec(with(network, parameters)));
        CHECK(value_of(parse_spec(to_json(made, Secrets::keep))) == made);
    }
    CHECK(refusal_of(with(vnet, {{"ip4", "disable"}})) == "invalid_value /parameters/ip4");
    CHECK(refusal_of(with({{"mode", "none"}}, {{"ip6", "inherit"}})) == "invalid_value /parameters/ip6");
    CHECK(refusal_of(with(inherit, {{"ip6", "new"}})) == "invalid_value /parameters/ip6");
    CHECK(refusal_of(with(inherit, {{"ip6", "some"}})) == "invalid_value /parameters/ip6");
    CHECK(refusal_of(with(inherit, {{"ip6", true}})) == "invalid_value /parameters/ip6");
    CHECK(refusal_of(with(alias, {{"ip4", "inherit"}})) == "invalid_value /parameters/ip4");
    CHECK(refusal_of(with(alias, {{"ip4", "disable"}})) == "invalid_value /parameters/ip4");
    CHECK(refusal_of(with(alias, {{"ip4.addr", json::array()}})) == "reserved_parameter /parameters/ip4.addr");
}

TEST_CASE("a new jail needs a good name", "[model][spec]") {
    const auto refused = [](const char* text) {
        const auto error = error_of(parse_named_spec(parsed(text)));
        return std::string(error.name()) + " " + error.field;
    };
    CHECK(refused("{}") == "missing_field /name");
    CHECK(refused(R"({"name": 5})") == "wrong_type /name");
    CHECK(refused(R"({"name": "5"})") == "invalid_name /name");
    CHECK(refused(R"({"name": "web", "spec": {}})") == "unknown_field /spec");
    CHECK(refused("[]") == "wrong_type ");
}

TEST_CASE("a restart policy has its waits and its budget", "[model][spec]") {
    const auto restart = [](const std::string& text) { return value_of(parse_spec(parsed(text))).restart; };
    CHECK(restart("{}") == RestartSpec{});
    CHECK(restart(R"({"restart": "always"})") == RestartSpec{.policy = RestartPolicy::always});
    CHECK(restart(R"({"restart": {"policy": "on-failure", "delay": 2, "max_delay": 8, "reset_after": 30,
                                  "max_retries": 1000, "window": 86400}})") ==
          RestartSpec{.policy = RestartPolicy::on_failure,
                      .delay = Milliseconds{2'000},
                      .max_delay = Milliseconds{8'000},
                      .reset_after = Milliseconds{30'000},
                      .max_retries = 1000,
                      .window = std::chrono::hours{24}});
    CHECK(restart(R"({"restart": {"policy": "always", "max_retries": null}})").max_retries == 0);
    // A longer first wait needs no second field.
    CHECK(restart(R"({"restart": {"delay": 90}})").max_delay == Milliseconds{90'000});
}
