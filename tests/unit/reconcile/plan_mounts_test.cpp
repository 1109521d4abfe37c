#include "core/reconcile/plan_mounts.h"

#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using kernel::Mount;
using kernel::ObservedMount;

namespace {

const std::vector<Mount> kWanted{{.source = "/srv", .target = "root"},
                                 {.source = "/usr", .target = "root/usr", .read_only = true},
                                 {.kind = kernel::MountKind::tmpfs, .target = "root/usr/local"},
                                 {.kind = kernel::MountKind::devfs, .target = "root/dev"}};

ObservedMount there(const std::string& target, bool read_only = false) {
    return {.id = JailId{1}, .target = target, .read_only = read_only};
}

std::vector<ObservedMount> all_there() {
    return {there("root"), there("root/usr", true), there("root/usr/local"), there("root/dev")};
}

Steps steps_for(const std::vector<ObservedMount>& present) {
    Plan steps;
    plan_mounts(kWanted, present, {}, steps);
    return texts(steps);
}

}  // namespace

TEST_CASE("mounts come in their order, and none when all are there", "[plan][mounts]") {
    CHECK(steps_for({}) == Steps{"mount root", "mount root/usr", "mount root/usr/local", "mount root/dev"});
    CHECK(steps_for(all_there()).empty());
}

TEST_CASE("a missing one comes back alone if nothing of ours is beneath it", "[plan][mounts]") {
    auto present = all_there();
    present.pop_back();
    CHECK(steps_for(present) == Steps{"mount root/dev"});
}

TEST_CASE("a missing one does not hide what is mounted beneath it", "[plan][mounts]") {
    auto present = all_there();
    present.erase(present.begin());
    CHECK(steps_for(present) == Steps{"unmount root/dev", "unmount root/usr/local", "unmount root/usr", "mount root",
                                      "mount root/usr", "mount root/usr/local", "mount root/dev"});
}

TEST_CASE("one that must be read-only and is not is mounted again, with what is beneath it", "[plan][mounts]") {
    auto present = all_there();
    present[1].read_only = false;
    CHECK(steps_for(present) ==
          Steps{"unmount root/usr/local", "unmount root/usr", "mount root/usr", "mount root/usr/local"});
}

TEST_CASE("a writable one over a read-only one is lifted, the right one comes to light", "[plan][mounts]") {
    auto present = all_there();
    present.push_back(there("root/usr", false));
    CHECK(steps_for(present) == Steps{"unmount root/usr/local", "unmount root/usr", "mount root/usr/local"});
}

TEST_CASE("one that is read-only without need stays: its file system may be", "[plan][mounts]") {
    auto present = all_there();
    present[0].read_only = true;
    CHECK(steps_for(present).empty());
}

TEST_CASE("somebody else's mount is left alone while the jail runs", "[plan][mounts]") {
    auto present = all_there();
    present.push_back(there("root/mnt"));
    CHECK(steps_for(present).empty());
}

TEST_CASE("somebody else's mount beneath one of ours is left to him: ours stays busy, and the error says so",
          "[plan][mounts]") {
    auto present = all_there();
    present[1].read_only = false;
    present.push_back(there("root/usr/mnt"));
    const auto steps = steps_for(present);
    CHECK_FALSE(contains(steps, "unmount root/usr/mnt"));
    CHECK(contains(steps, "unmount root/usr"));
}

TEST_CASE("a name that only begins alike is not beneath", "[plan][mounts]") {
    auto present = all_there();
    present[1].read_only = false;
    present[2].target = "root/usr2";
    CHECK(steps_for(present) == Steps{"unmount root/usr", "mount root/usr", "mount root/usr/local"});
}

TEST_CASE("all go at the end, the last one first, whoever made them", "[plan][mounts]") {
    auto present = all_there();
    present.push_back(there("root/mnt"));
    present.push_back(there("root/mnt"));
    present.back().source = "/data";
    Plan steps;
    plan_unmounts(present, steps);
    CHECK(texts(steps) == Steps{"unmount root/mnt (/data)", "unmount root/mnt", "unmount root/dev",
                                "unmount root/usr/local", "unmount root/usr", "unmount root"});
}
