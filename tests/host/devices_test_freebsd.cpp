#include <charconv>

#include "core/kernel/freebsd/pure/device_rules.h"
#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"

/// What a jail's /dev shows because its spec asks for it.
namespace jaild::test {
namespace {

using kernel::freebsd::kDeviceRulesetCount;
using kernel::freebsd::kDeviceRulesets;
using nlohmann::json;

/// Those of jaild's numbers that the kernel has.
std::vector<int> device_rulesets() {
    std::vector<int> found;
    for (const auto& line : lines_with({"/sbin/devfs", "rule", "showsets"}, "")) {
        int number = 0;
        std::from_chars(line.data(), line.data() + line.size(), number);
        if (number >= kDeviceRulesets && number < kDeviceRulesets + kDeviceRulesetCount) found.push_back(number);
    }
    return found;
}

/// The rulesets that a test made go with it.
struct DevicesTest {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    std::vector<int> before = device_rulesets();

    DevicesTest() { daemon.start(); }
    ~DevicesTest() {
        for (const int one : made()) CHECK(run({"/sbin/devfs", "rule", "-s", std::to_string(one), "delset"}));
    }
    [[nodiscard]] std::vector<int> made() const {
        auto now = device_rulesets();
        std::erase_if(now, [&](int one) { return std::ranges::find(before, one) != before.end(); });
        return now;
    }
    [[nodiscard]] std::string shown(const std::string& jail, const std::string& names) const {
        return client.sh(jail, "cd /dev && ls -d " + names + " 2>/dev/null || :");
    }
};

TEST_CASE("a jail's /dev shows the devices that its spec names, and no others", "[fields][devices]") {
    const DevicesTest test;
    test.client.create({{"name", "plain"}});
    CHECK(test.shown("plain", "klog mem null") == "null");
    CHECK(test.made().empty());
    test.client.create({{"name", "one"}, {"devices", {"klog", "tun*"}}});
    CHECK(test.shown("one", "klog mem null") == "klog\nnull");
    CHECK(test.made().size() == 1);
    CHECK(test.client.get("/v1/jails/one/plan").at("plan").empty());
    // One that is made later is shown too.
    Undo undo;
    run_or_fail({"/sbin/ifconfig", "tun77", "create"});
    undo.add({"/sbin/ifconfig", "tun77", "destroy"});
    CHECK(test.shown("one", "tun77") == "tun77");
    CHECK(test.shown("plain", "tun77").empty());
}

TEST_CASE("jails that ask for the same devices share their rules, also after the daemon was killed",
          "[fields][devices]") {
    DevicesTest test;
    test.client.create({{"name", "one"}, {"devices", {"klog"}}});
    const auto first = test.made();
    REQUIRE(first.size() == 1);
    test.client.create({{"name", "two"}, {"devices", {"klog"}}});
    CHECK(test.made() == first);
    test.client.create({{"name", "other"}, {"devices", {"geom.ctl"}}});
    CHECK(test.made().size() == 2);
    CHECK(test.shown("other", "geom.ctl klog") == "geom.ctl");

    const auto life = test.client.life("one");
    test.daemon.kill();
    test.daemon.start();
    CHECK(test.client.life("one") == life);
    test.client.change("one", {{"devices", {"geom.ctl"}}}, "?restart=true");
    CHECK(eventually([&] { return test.shown("one", "geom.ctl klog") == "geom.ctl"; }));
    CHECK(test.made().size() == 2);
    CHECK(test.shown("two", "geom.ctl klog") == "klog");
}

TEST_CASE("a ruleset that is somebody else's is left alone", "[fields][devices]") {
    DevicesTest test;
    test.client.create({{"name", "one"}, {"devices", {"klog"}}});
    const auto first = test.made();
    REQUIRE(first.size() == 1);
    test.client.remove("one");
    const auto number = std::to_string(first.front());
    run_or_fail({"/sbin/devfs", "rule", "-s", number, "delset"});
    run_or_fail({"/sbin/devfs", "rule", "-s", number, "add", "100", "path", "mem", "unhide"});
    test.client.create({{"name", "one"}, {"devices", {"klog"}}});
    CHECK(test.shown("one", "klog mem null") == "klog\nnull");
    CHECK(test.made().size() == 2);
    CHECK(lines_with({"/sbin/devfs", "rule", "-s", number, "show"}, "").size() == 1);
}

}  // namespace
}  // namespace jaild::test
