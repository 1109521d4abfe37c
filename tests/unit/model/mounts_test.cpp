#include <nlohmann/json.hpp>

#include "core/model/jail_spec.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::model;
using nlohmann::json;
using test::error_of;
using test::value_of;

namespace {

Error mount_refusal(const json& mount) {
    return error_of(parse_spec({{"mounts", json::array({mount})}}));
}

MountSpec read_mount(const json& mount) {
    return value_of(parse_spec({{"mounts", json::array({mount})}})).mounts.at(0);
}

MountSpec mount_at(std::string target, std::string source = "/srv/data") {
    return {.source = std::move(source), .target = std::move(target)};
}

}  // namespace

TEST_CASE("a mount is a nullfs unless it says otherwise", "[mounts]") {
    CHECK(read_mount({{"source", "/srv"}, {"target", "/data"}}) == mount_at("/data", "/srv"));
    const auto tmpfs =
        read_mount({{"type", "tmpfs"}, {"target", "/t"}, {"size", "64M"}, {"options", {"noexec", "nosuid", "ro"}}});
    CHECK(tmpfs == MountSpec{.type = MountType::tmpfs,
                             .target = "/t",
                             .read_only = true,
                             .no_exec = true,
                             .no_suid = true,
                             .size = {64 << 20}});
    CHECK(read_mount({{"type", "zfs"}, {"source", "tank/a-b.c:d_e"}, {"target", "/z"}}).type == MountType::zfs);
}

TEST_CASE("a mount that cannot be is refused with its field", "[mounts]") {
    const auto field = [](const json& mount) { return mount_refusal(mount).field; };
    CHECK(field({{"target", "/data"}}) == "/mounts/0/source");
    CHECK(field({{"source", "/srv"}}) == "/mounts/0/target");
    CHECK(field({{"source", "srv"}, {"target", "/data"}}) == "/mounts/0/source");
    CHECK(field({{"source", "/"}, {"target", "/data"}}) == "/mounts/0/source");
    CHECK(field({{"source", "/srv"}, {"target", "/"}}) == "/mounts/0/target");
    CHECK(field({{"source", "/srv"}, {"target", "/a/../b"}}) == "/mounts/0/target");
    CHECK(field({{"source", "/srv"}, {"target", "/dev"}}) == "/mounts/0/target");
    CHECK(field({{"source", "/srv"}, {"target", "/dev/shm"}}) == "/mounts/0/target");
    CHECK(field({{"source", "/srv"}, {"target", "/data"}, {"options", {"ro", "rw"}}}) == "/mounts/0/options/1");
    CHECK(field({{"source", "/srv"}, {"target", "/data"}, {"size", "1M"}}) == "/mounts/0/size");
    CHECK(field({{"source", "/srv"}, {"target", "/data"}, {"flags", 1}}) == "/mounts/0/flags");
    CHECK(field({{"type", "tmpfs"}, {"source", "/srv"}, {"target", "/data"}}) == "/mounts/0/source");
    CHECK(field({{"type", "tmpfs"}, {"target", "/data"}, {"size", 4095}}) == "/mounts/0/size");
    CHECK(field({{"type", "tmpfs"}, {"target", "/data"}, {"create", true}}) == "/mounts/0/create");
    CHECK(field({{"type", "ufs"}, {"target", "/data"}}) == "/mounts/0/type");
    for (const auto* dataset : {"", "/tank", "tank/", "tank//a", "tank a", "-o", "tank@today"})
        CHECK(field({{"type", "zfs"}, {"source", dataset}, {"target", "/data"}}) == "/mounts/0/source");
}

TEST_CASE("no target has two mounts, and no spec more than its limit", "[mounts]") {
    auto mounts = json::array();
    for (std::size_t i = 0; i < SpecLimits::mounts; ++i)
        mounts.push_back({{"type", "tmpfs"}, {"target", "/t" + std::to_string(i)}});
    CHECK(value_of(parse_spec({{"mounts", mounts}})).mounts.size() == SpecLimits::mounts);
    mounts[63]["target"] = "/t0";
    CHECK(error_of(parse_spec({{"mounts", mounts}})).field == "/mounts/63/target");
    mounts[63]["target"] = "/t63";
    mounts.push_back({{"type", "tmpfs"}, {"target", "/one-more"}});
    CHECK(error_of(parse_spec({{"mounts", mounts}})).reason == "too_many");
    const json options(SpecLimits::mount_options + 1, "ro");
    CHECK(mount_refusal({{"source", "/srv"}, {"target", "/data"}, {"options", options}}).reason == "too_many");
}

TEST_CASE("mounts come and go while a jail runs, and another one at the same place waits", "[mounts]") {
    JailSpec made;
    made.mounts = {mount_at("/a"), mount_at("/b")};
    JailSpec wanted;
    wanted.mounts = {mount_at("/b"), mount_at("/c")};
    CHECK(restart_fields_changed(made, wanted).empty());
    wanted.mounts = {mount_at("/c"), mount_at("/b", "/srv/other")};
    CHECK(restart_fields_changed(made, wanted) == std::vector<std::string>{"/mounts"});
    CHECK(running_mounts(made.mounts, wanted.mounts) == std::vector{mount_at("/c"), mount_at("/b")});
}
