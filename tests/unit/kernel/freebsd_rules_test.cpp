#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/kernel/memory/anchors.h"
#include "core/kernel/names.h"
#include "tests/unit/kernel/machine.h"

/// The rules of FreeBSD's kernel that jaild stands on: the model has each, and each bites who does the obvious thing.

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel_test;
using jaild::kernel::memory::evaluated;
using jaild::kernel::memory::Remains;

namespace {

constexpr JailId kNext{2};

model::LimitRule memory_rule(std::int64_t amount) {
    return {.resource = "memoryuse", .limit = {.amount = amount, .action = "deny"}};
}

std::vector<model::LimitRule> rules_of(Machine& machine, JailId id = kWeb) {
    return value_of(machine.kernel.limits().list({machine.subject(id)})).at(0).rules;
}

/// Removed, but something refers to it still, for a few looks at least.
void remove_lingering(Machine& machine) {
    machine.kernel.set_nature({.seed = 1, .linger = 1, .linger_rounds = 3});
    value_of(machine.kernel.jails().remove(kWeb));
    machine.kernel.set_nature({});
}

/// The same by hand, for very long.
void kill_lingering(Machine& machine) {
    machine.kernel.set_nature({.seed = 1, .linger = 1, .linger_rounds = 100});
    REQUIRE(machine.kernel.hand().kill_jail(kWeb, Remains::dying));
}

}  // namespace

TEST_CASE("dying: who removes a jail and takes that for its end finds it there still", "[memory][rules]") {
    Machine machine;
    machine.start();
    value_of(machine.kernel.links().destroy({kWeb}));
    machine.kernel.set_nature({.seed = 1, .linger = 1, .linger_rounds = 1});
    value_of(machine.kernel.jails().remove(kWeb));
    REQUIRE(machine.kernel.state().prisons.size() == 1);
    CHECK(value_of(machine.kernel.jails().list(kWeb)).empty());  // one look later it is gone
}

TEST_CASE("dying: the jail has its number still, and no longer its name", "[memory][rules]") {
    Machine machine;
    machine.start();
    value_of(machine.kernel.links().destroy({kWeb}));
    kill_lingering(machine);
    value_of(machine.create());
    const auto both = value_of(machine.kernel.jails().list(kWeb));
    REQUIRE(both.size() == 2);
    CHECK(both[0].dying);
    CHECK(both[0].name == both[1].name);
    CHECK(both[0].jid != both[1].jid);
}

TEST_CASE("late interfaces: who removes the jail before its link cannot take down link or bridge", "[memory][rules]") {
    Machine machine;
    machine.start();
    remove_lingering(machine);
    CHECK(machine.violated("removed before its link"));
    CHECK(value_of(machine.kernel.links().list(kWeb)).at(0).host_end);
    CHECK(value_of(machine.kernel.links().bridges()).at(0).members == 1);
    CHECK(error_of(machine.kernel.links().remove_bridge(NetworkId{1})).sys == EBUSY);
    CHECK(error_of(machine.kernel.links().destroy({kWeb})).sys == EBUSY);
    while (!value_of(machine.kernel.jails().list(kWeb)).empty()) continue;
    CHECK(value_of(machine.kernel.links().list(kWeb)).empty());

    Machine well;
    well.start();
    value_of(well.kernel.links().destroy({kWeb}));
    remove_lingering(well);
    CHECK(value_of(well.kernel.links().list(kWeb)).empty());
    CHECK(well.kernel.violations() == std::vector<std::string>{});
}

TEST_CASE("EEXIST: an interface does not move to where its name is taken", "[memory][rules]") {
    Machine machine;
    machine.start();
    kill_lingering(machine);
    value_of(machine.create());
    const auto refused = error_of(machine.kernel.links().ensure(machine.link()));
    CHECK(refused.op == "SIOCSIFRVNET");
    CHECK(refused.sys == EEXIST);
}

TEST_CASE("EBUSY: two loads of an anchor at once, and only who tries again has his rules", "[memory][rules]") {
    Machine machine;
    machine.kernel.set_nature({.seed = 1, .busy_anchor = 1});
    CHECK(error_of(machine.kernel.firewall().apply(default_network())).sys == EBUSY);
    CHECK(value_of(machine.kernel.firewall().list({default_network()})).empty());
    machine.kernel.set_nature({});
    value_of(machine.kernel.firewall().apply(default_network()));
    CHECK(value_of(machine.kernel.firewall().list({default_network()})).at(0).complete);
}

TEST_CASE("one level: rules in a deeper anchor are loaded, and nothing asks them", "[memory][rules]") {
    const auto instance = value_of(InstanceId::parse("k3f9a"));
    CHECK(evaluated(network_anchor(instance, NetworkId{1})));
    CHECK(evaluated(jail_anchor(instance, kWeb)));
    CHECK(network_anchor(instance, NetworkId{INT64_MAX}).size() <= memory::kMaxAnchorPath);
    for (const auto* naive : {"jaild/k3f9a/n1", "jaild/k3f9a/jails/1", "jaild", "jaild/", "k3f9a/n1"})
        CHECK_FALSE(evaluated(naive));

    Machine machine;
    value_of(machine.kernel.firewall().apply(default_network()));
    REQUIRE(machine.kernel.hand().move_rules(NetworkId{1}, "jaild/k3f9a/n1"));
    CHECK_FALSE(value_of(machine.kernel.firewall().list({default_network()})).at(0).complete);
}

TEST_CASE("EPERM: who enters a jail with a directory open stays outside", "[memory][rules]") {
    Machine machine;
    machine.start();
    const auto enter = [&](UniqueFd input) {
        return machine.kernel.processes().exec(
            kWeb, {.argv = {"true"}, .environment = {}},
            {.input = std::move(input), .output = UniqueFd(), .error_output = UniqueFd()});
    };
    const auto refused = error_of(enter(UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
    CHECK(refused.op == "jail_attach");
    CHECK(refused.sys == EPERM);
    CHECK(enter(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))).has_value());
}

TEST_CASE("rctl: rules may come before their jail, and who makes the jail first has one without limits",
          "[memory][rules][rctl]") {
    Machine naive;
    naive.limits = {{"memoryuse", {.amount = 4096, .action = "deny"}}};
    naive.prepare();
    value_of(naive.create());
    value_of(naive.kernel.limits().ensure(naive.subject(), naive.limits));
    CHECK(naive.violated("created before its limits"));

    Machine machine;
    machine.limits = naive.limits;
    value_of(machine.kernel.limits().ensure(machine.subject(), machine.limits));
    CHECK(rules_of(machine) == std::vector{memory_rule(4096)});
    machine.prepare();
    value_of(machine.create());
    CHECK(machine.kernel.violations() == std::vector<std::string>{});
}

TEST_CASE("rctl: rules outlive their jail by its name, and who leaves them binds the next of that name",
          "[memory][rules][rctl]") {
    Machine machine;
    machine.limits = {{"memoryuse", {.amount = 4096, .action = "deny"}}};
    value_of(machine.kernel.limits().ensure(machine.subject(), machine.limits));
    machine.start();
    machine.stop();
    CHECK(value_of(machine.kernel.jails().list({})).empty());
    CHECK(rules_of(machine, kNext) == std::vector{memory_rule(4096)});

    machine.limits = {};
    machine.prepare(kNext);
    value_of(machine.create(kNext));
    CHECK(machine.violated("under limits that nobody asked for"));
}

TEST_CASE("rctl: a denial takes the place of another, any other rule stands beside it", "[memory][rules][rctl]") {
    Machine machine;
    auto& limits = machine.kernel.limits();
    value_of(limits.ensure(machine.subject(), {{"memoryuse", {.amount = 1, .action = "deny"}}}));
    value_of(limits.ensure(machine.subject(), {{"memoryuse", {.amount = 2, .action = "deny"}}}));
    CHECK(rules_of(machine) == std::vector{memory_rule(2)});
    REQUIRE(machine.kernel.hand().add_limit("web", {.resource = "maxproc", .limit = {.amount = 9, .action = "log"}}));
    CHECK(rules_of(machine).size() == 2);
    value_of(limits.ensure(machine.subject(), {{"memoryuse", {.amount = 2, .action = "deny"}}}));
    CHECK(rules_of(machine) == std::vector{memory_rule(2)});
    value_of(limits.remove(machine.subject()));
    value_of(limits.remove(machine.subject()));
    CHECK(rules_of(machine).empty());
}

TEST_CASE("rctl: what it cannot do is refused by the kernel too", "[memory][rules][rctl]") {
    Machine machine;
    auto& limits = machine.kernel.limits();
    CHECK(error_of(limits.ensure(machine.subject(), {{"cputime", {.amount = 1, .action = "deny"}}})).sys == EOPNOTSUPP);
    CHECK(error_of(limits.ensure(machine.subject(), {{"pcpu", {.amount = 1, .action = "throttle"}}})).sys ==
          EOPNOTSUPP);
    CHECK(
        error_of(limits.ensure(machine.subject(), {{"nsem", {.amount = 1, .action = "deny", .per = "process"}}})).sys ==
        EOPNOTSUPP);
}

TEST_CASE("rctl: without kern.racct.enable there are no rules, and none is made", "[memory][rules][rctl]") {
    Machine machine;
    machine.kernel.hand().set_racct(false);
    auto& limits = machine.kernel.limits();
    const auto refused = error_of(limits.check({}, {}));
    CHECK(refused.name() == "limits_unsupported");
    CHECK(refused.remedy.find("/boot/loader.conf kern.racct.enable=1") != std::string::npos);
    CHECK(error_of(limits.ensure(machine.subject(), {{"maxproc", {.amount = 1, .action = "deny"}}})).name() ==
          "limits_unsupported");
    const auto listed = value_of(limits.list({machine.subject()}));
    CHECK_FALSE(listed.at(0).supported);
    value_of(limits.remove(machine.subject()));
}

TEST_CASE("rctl: rules on a name that somebody else's jail has are his", "[memory][rules][rctl]") {
    Machine machine;
    REQUIRE(machine.kernel.hand().take_name("web"));
    const auto theirs = machine.kernel.state().limits.at("web");
    REQUIRE(theirs.size() == 1);
    CHECK(rules_of(machine).empty());
    value_of(machine.kernel.limits().remove(machine.subject()));
    CHECK(error_of(machine.kernel.limits().ensure(machine.subject(), {})).name() == "name_in_use");
    CHECK(machine.kernel.state().limits.at("web") == theirs);
}

TEST_CASE("a parameter that is fixed at creation is not changed on a running jail", "[memory][rules]") {
    Machine machine;
    machine.parameters = {{"osrelease", std::string("14.0-RELEASE")}, {"allow.nomount", false}};
    machine.start();
    auto& jails = machine.kernel.jails();
    const auto change = [&](model::Parameters parameters) {
        return jails.update({.id = kWeb, .name = machine.name, .hostname = "web", .parameters = std::move(parameters)});
    };
    CHECK(error_of(change({{"osrelease", std::string("14.1-RELEASE")}})).sys == EINVAL);
    value_of(change({{"allow.mount", false}, {"securelevel", std::int64_t{2}}}));
    CHECK(value_of(jails.parameters(
              kWeb, {"allow.mount", "allow.nomount", "securelevel", "osrelease", "allow.suser", "nonesuch"})) ==
          model::Parameters{{"allow.mount", false},
                            {"allow.nomount", true},
                            {"securelevel", std::int64_t{2}},
                            {"osrelease", std::string("14.0-RELEASE")},
                            {"allow.suser", true}});
    CHECK(value_of(jails.parameters(kNext, {"allow.mount"})).empty());
}

TEST_CASE("what this kernel does not know of a spec is refused with its field", "[memory][rules]") {
    Machine machine;
    auto& jails = machine.kernel.jails();
    model::JailSpec spec;
    spec.devfs_ruleset = 10;
    spec.parameters = {{"allow.mount.nullfs", true}, {"sysvmsg", std::string("new")}};
    value_of(jails.check(spec));
    spec.parameters["allow.teleport"] = true;
    CHECK(error_of(jails.check(spec)).field == "/parameters/allow.teleport");
    spec.parameters = {};
    spec.devfs_ruleset = 11;
    CHECK(error_of(jails.check(spec)).field == "/devfs_ruleset");
}
