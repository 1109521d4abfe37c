#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

/// web, with what its root is made of and these.
Desired with_mounts(Desired desired, const std::vector<std::string>& targets) {
    std::erase_if(desired.mounts, [](const kernel::Mount& one) { return one.of_spec; });
    desired.jail.spec.mounts.clear();
    for (const auto& target : targets) desired.jail.spec.mounts.push_back({.source = "/srv", .target = target});
    for (auto& mount : kernel::mounts_of(desired.jail.spec.mounts, kernel::RootOwner::jaild))
        desired.mounts.push_back(std::move(mount));
    return desired;
}

Desired later(Desired desired, const std::vector<std::string>& targets) {
    return with_mounts(changed(std::move(desired), [](model::JailSpec&) {}), targets);
}

}  // namespace

TEST_CASE("the mounts of a spec come after the root's, each before what is beneath it", "[plan][mounts]") {
    Toy toy;
    const auto steps = toy.converge(with_mounts(wanted_web(), {"/data/deep", "/data"}));
    const auto at = [&](const char* step) { return std::ranges::find(steps, step) - steps.begin(); };
    CHECK(at("mount root/dev") < at("mount root/data"));
    CHECK(at("mount root/data") < at("mount root/data/deep"));
    CHECK(at("mount root/data/deep") < at("create_jail web"));
}

TEST_CASE("a running jail's mounts come and go, recorded before they come", "[plan][mounts]") {
    const auto before = with_mounts(wanted_web(), {"/a", "/a/b"});
    auto toy = Toy::running(before);
    CHECK(toy.do_once(later(before, {"/c"})) ==
          Steps{"record_change", "unmount root/a/b", "unmount root/a", "mount root/c", "record_done"});
    CHECK(plan(later(before, {"/c"}), toy.observed).empty());
}

TEST_CASE("a crash at any step of a change of mounts leaves nothing mounted that nobody asked for", "[plan][mounts]") {
    const auto before = with_mounts(wanted_web(), {"/a"});
    const auto between = later(before, {"/b"});
    const auto after = later(between, {"/c"});
    for (std::size_t steps = 0; steps < 5; ++steps) {
        INFO(steps);
        auto toy = Toy::running(before);
        toy.do_once(between, steps);
        toy.converge(after);
        std::vector<std::string> targets;
        for (const auto& one : toy.observed.mounts) targets.push_back(one.target);
        std::ranges::sort(targets);
        CHECK(targets == std::vector<std::string>{"root/c", "root/dev", "root/usr"});
    }
}
