#include "core/kernel/names.h"
#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"

/// limits, parameters and devfs_ruleset, as the kernel itself shows them.

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// By jls(8), without its last newline.
std::string shown_by_jls(const std::string& jail, const std::string& name) {
    auto text = run_or_fail({"jls", "-j", jail, name});
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

/// This kernel has it.
bool there_is(const std::string& sysctl) {
    const auto asked = run({"sysctl", "-n", sysctl});
    return asked && asked->exit_code == 0;
}

bool limits_are_enforced() {
    const auto asked = run({"sysctl", "-n", "kern.racct.enable"});
    return asked && asked->exit_code == 0 && asked->output == "1\n";
}

std::vector<std::string> rules_of(const std::string& jail) {
    return lines_with({"rctl", "jail:" + jail}, "jail:" + jail + ":");
}

json refusal(const Daemon& daemon, const json& spec, int status) {
    const auto reply = daemon.request("POST", "/v1/jails", spec.dump());
    INFO(spec << ": " << reply.body);
    REQUIRE(reply.status == status);
    return json::parse(reply.body);
}

struct FieldsTest {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    FieldsTest() { daemon.start(); }
};

}  // namespace

TEST_CASE("parameters are the kernel's, are changed live and are mended", "[fields][parameters]") {
    const FieldsTest test;
    test.client.create({{"name", "web"},
                        {"parameters",
                         {{"allow.raw_sockets", true},
                          {"allow.noset_hostname", true},
                          {"children.max", 3},
                          {"sysvmsg", "new"},
                          {"host.hostid", 7},
                          {"host.domainname", "example.org"}}}});
    CHECK(shown_by_jls("web", "allow.raw_sockets") == "true");
    CHECK(shown_by_jls("web", "allow.set_hostname") == "false");
    CHECK(shown_by_jls("web", "children.max") == "3");
    CHECK(shown_by_jls("web", "sysvmsg") == "new");
    CHECK(shown_by_jls("web", "host.hostid") == "7");
    CHECK(shown_by_jls("web", "host.domainname") == "example.org");
    CHECK(shown_by_jls("web", "enforce_statfs") == "2");
    CHECK(test.client.get("/v1/jails/web/plan").at("plan").empty());

    const auto life = test.client.life("web");
    test.client.change("web", {{"parameters", {{"children.max", 5}, {"allow.raw_sockets", false}}}});
    CHECK(shown_by_jls("web", "children.max") == "5");
    CHECK(shown_by_jls("web", "allow.raw_sockets") == "false");
    CHECK(test.client.life("web") == life);

    run_or_fail({"jail", "-m", "name=web", "children.max=9"});
    CHECK(eventually([] { return shown_by_jls("web", "children.max") == "5"; }, std::chrono::seconds(30)));
}

TEST_CASE("what this kernel does not know of a parameter or a ruleset is refused with its field", "[fields]") {
    const FieldsTest test;
    const auto field_of = [&](const json& spec, int status) {
        return std::string(refusal(test.daemon, spec, status).at("field"));
    };
    CHECK(field_of({{"name", "x"}, {"parameters", {{"allow.teleport", true}}}}, 422) == "/parameters/allow.teleport");
    CHECK(field_of({{"name", "x"}, {"parameters", {{"children.max", "many"}}}}, 422) == "/parameters/children.max");
    // devfsrules_unhide_basic hides nothing by itself.
    CHECK(field_of({{"name", "x"}, {"devfs_ruleset", 2}}, 422) == "/devfs_ruleset");
    CHECK(field_of({{"name", "x"}, {"devfs_ruleset", 54321}}, 422) == "/devfs_ruleset");
    // What one that it includes includes is not followed: a jail would see everything.
    Undo undo;
    undo.add({"devfs", "rule", "-s", "54322", "delset"});
    run_or_fail({"devfs", "rule", "-s", "54322", "add", "100", "include", "5"});
    CHECK(field_of({{"name", "x"}, {"devfs_ruleset", 54322}}, 422) == "/devfs_ruleset");

    test.client.create({{"name", "web"}, {"devfs_ruleset", 4}});
    CHECK(shown_by_jls("web", "devfs_ruleset") == "4");
    CHECK(test.client.sh("web", "ls /dev/null; ls /dev/pf /dev/mem /dev/kmem 2>/dev/null | wc -l | tr -d ' '") ==
          "/dev/null\n0");
}

TEST_CASE("a limit binds the jail's processes and is gone with it, or is refused by a kernel that enforces none",
          "[fields][limits]") {
    const FieldsTest test;
    const json limited{{"name", "web"}, {"limits", {{"maxproc", 12}}}};
    if (!limits_are_enforced()) {
        const auto refused = refusal(test.daemon, limited, 422);
        CHECK(refused.at("code") == "limits_unsupported");
        CHECK(refused.at("field") == "/limits");
        return;
    }
    test.client.create(limited);
    CHECK(rules_of("web") == std::vector<std::string>{"jail:web:maxproc:deny=12"});
    CHECK(test.client.get("/v1/jails/web/plan").at("plan").empty());
    const auto many = test.client.exec(
        "web", {"/bin/sh", "-c", "i=0; while [ $i -lt 20 ]; do sleep 5 & i=$((i + 1)); done; echo all"});
    CHECK(many.at("exit_code") != 0);
    CHECK(std::string(many.at("stdout")).empty());

    // rctl(8) counts the room in each process's table of descriptors, not what is open: 64 here.
    test.client.change("web", {{"limits", {{"maxproc", 40}, {"openfiles", 10'000}}}});
    const std::vector<std::string> both{"jail:web:maxproc:deny=40", "jail:web:openfiles:deny=10000",
                                        "jail:web:openfiles:devctl=10000"};
    CHECK_THAT(rules_of("web"), Catch::UnorderedEquals(both));
    CHECK(test.client
              .exec("web", {"/bin/sh", "-c", "i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i + 1)); done; echo all"})
              .at("stdout") == "all\n");
    run_or_fail({"rctl", "-r", "jail:web:maxproc"});
    CHECK(eventually([] { return rules_of("web").size() == 3; }, std::chrono::seconds(60)));
    test.client.change("web", {{"running", false}});
    CHECK(rules_of("web").empty());
    test.client.change("web", {{"running", true}});
    test.client.remove("web");
    CHECK(rules_of("web").empty());
}

TEST_CASE("from FreeBSD 15 on a jail's meta says whose it is, and nobody within sees it", "[fields][meta]") {
    const FieldsTest test;
    test.client.create({{"name", "web"}});
    if (!there_is("security.jail.param.meta")) {
        // Made all the same; the path alone says whose it is.
        CHECK(run({"jls", "-j", "web", "meta"})->exit_code != 0);
        CHECK(test.client.state("web") == "running");
        return;
    }
    const auto mark = kernel::jail_mark(test.client.instance(), test.client.id("web"));
    CHECK(shown_by_jls("web", "meta").contains("jaild.owner=" + mark));
    // What an admin adds stays, and changes nothing.
    run_or_fail({"jail", "-m", "name=web", "meta.rack=7"});
    const auto life = test.client.life("web");
    CHECK(test.client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(test.client.life("web") == life);
}
