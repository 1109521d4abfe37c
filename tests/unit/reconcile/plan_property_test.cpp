#include <random>

#include "tests/unit/reconcile/toy.h"

/// Whatever is found, plans lead to what is wanted, and then there are none.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::CommandState;

namespace {

using Chance = std::mt19937;

bool coin(Chance& chance) {
    return (chance() >> 7U) % 2 == 0;
}

Desired random_wish(Chance& chance) {
    auto desired = coin(chance) ? wanted_web() : wanted_on_two_networks();
    auto& spec = desired.jail.spec;
    if (coin(chance)) spec.command = {"/bin/server"};
    if (coin(chance)) spec.exec.start = {"/bin/sh", "/etc/rc"};
    if (coin(chance)) spec.exec.stop = {"/bin/sh", "/etc/rc.shutdown"};
    if (chance() % 4 == 0) {
        spec.network = {.mode = model::NetworkMode::none, .interfaces = {}, .nameservers = {}, .search = {}};
        desired.networks.clear();
        desired.jail.interfaces.clear();
    }
    if (chance() % 3 == 0)
        for (const auto hook : model::kHooks) spec.exec.hooks[hook] = {"/bin/hook"};
    desired.jail.generation = 1 + chance() % 3;
    desired.jail.incarnation = 1 + chance() % 3;
    spec.running = chance() % 4 != 0;
    desired.jail.removing = chance() % 6 == 0;
    return desired;
}

/// Some way into `was`, then some of what can happen.
Toy random_past(const Desired& was, Chance& chance) {
    Toy toy;
    toy.do_once(was, chance() % 14);
    if (!toy.row) return Toy{};
    auto& observed = toy.observed;
    if (observed.jail && coin(chance)) {
        switch (chance() % 4) {
            case 0:
                toy.kill_jail();
                break;
            case 1:
                toy.lose_jail();
                break;
            case 2:
                toy.reboot();
                break;
            default:
                break;
        }
    }
    if (observed.shim && chance() % 4 == 0) toy.kill_shim();
    if (observed.shim && chance() % 4 == 0) toy.end_command();
    if (!observed.links.empty() && chance() % 4 == 0) observed.links.front().up = false;
    if (!observed.mounts.empty() && chance() % 4 == 0) observed.mounts.pop_back();
    if (!observed.mounts.empty() && chance() % 4 == 0) observed.mounts.front().read_only = false;
    if (chance() % 8 == 0) {
        observed.applied = {};
        toy.hooks.clear();  // nobody can know of them any more
    }
    if (chance() % 8 == 0 && observed.directory)
        observed.mounts.push_back({.id = was.jail.id, .target = "root/mnt", .read_only = false});
    return toy;
}

void check_end(const Desired& desired, const Toy& toy) {
    const auto& observed = toy.observed;
    if (wanted(desired.jail)) {
        REQUIRE(alive(observed));
        CHECK(shim_alive(observed));
        CHECK(observed.applied.complete);
        CHECK(observed.applied.incarnation >= desired.jail.incarnation);
        CHECK(observed.mounts.size() >= desired.mounts.size());
        return;
    }
    CHECK(toy.hooks.empty());
    CHECK_FALSE(observed.jail);
    CHECK(observed.links.empty());
    CHECK_FALSE(shim_alive(observed));
    CHECK(observed.mounts.empty());
    CHECK(toy.row != desired.jail.removing);
    CHECK(observed.directory == (observed.directory && !desired.jail.removing));
}

}  // namespace

TEST_CASE("from any past to any wish, however often the way is broken off", "[plan][property]") {
    const unsigned first = GENERATE(range(0U, 8'000U, 500U));
    for (unsigned seed = first; seed < first + 500; ++seed) {
        INFO("seed " << seed);
        Chance chance(seed);
        const auto was = random_wish(chance);
        auto toy = random_past(was, chance);
        const auto desired = coin(chance) ? was : random_wish(chance);

        const auto before = toy.observed;
        REQUIRE(plan(desired, toy.observed) == plan(desired, before));  // the same answer to the same question
        REQUIRE(toy.observed == before);

        for (int broken_off = 0; broken_off < 3 && toy.row; ++broken_off) toy.do_once(desired, chance() % 6);
        toy.converge(desired);
        check_end(desired, toy);
        if (!toy.row) continue;
        REQUIRE(plan(desired, toy.observed).empty());
        if (was.jail.incarnation == desired.jail.incarnation && was.jail.generation == desired.jail.generation &&
            wanted(was.jail) && before.applied.incarnation == was.jail.incarnation && before.applied.complete)
            CHECK(toy.command_runs <= 1);
    }
}
