#include "core/kernel/freebsd/pure/dataset_texts.h"

#include "tests/instance.h"
#include "tests/unit/freebsd/zfs_output.h"

using namespace jaild;
using namespace jaild::test;
namespace zfs = jaild::kernel::freebsd::zfs;

namespace {

/// What zfs get prints about a dataset of ours.
std::string ours(const std::string& name, const std::string& owner) {
    return zfs_row(name, "jaild:owner", owner, "local") + zfs_row(name, "jailed", "off", "default");
}

std::vector<JailId> listed(const std::string& output) {
    return value_of(zfs::jails(output, "zroot/jaild", instance()));
}

}  // namespace

TEST_CASE("a dataset is made unmounted and marked in one step", "[freebsd][zfs]") {
    CHECK(zfs::dataset("zroot/jaild", instance(), JailId{12}) == "zroot/jaild/k3f9a-12");
    CHECK(zfs::create("zroot/jaild/k3f9a-12", zfs::owner(instance(), JailId{12})) ==
          Argv{"zfs", "create", "-o", "canmount=noauto", "-o", "mountpoint=legacy", "-o", "jaild:owner=k3f9a:jail:12",
               "zroot/jaild/k3f9a-12"});
    CHECK(zfs::clone("zroot/jaild/k3f9a-t3@base", "zroot/jaild/k3f9a-12", zfs::owner(instance(), JailId{12})) ==
          Argv{"zfs", "clone", "-o", "canmount=noauto", "-o", "mountpoint=legacy", "-o", "jaild:owner=k3f9a:jail:12",
               "zroot/jaild/k3f9a-t3@base", "zroot/jaild/k3f9a-12"});
    CHECK(zfs::destroy("zroot/jaild/k3f9a-12") == Argv{"zfs", "destroy", "zroot/jaild/k3f9a-12"});
}

TEST_CASE("a dataset is ours by name, place and a mark of its own", "[freebsd][zfs]") {
    const std::string parent =
        zfs_row("zroot/jaild", "jaild:owner", "-", "-") + zfs_row("zroot/jaild", "jailed", "off", "default");
    CHECK(listed("").empty());
    CHECK(listed(parent).empty());
    CHECK(listed(parent + ours("zroot/jaild/k3f9a-12", "k3f9a:jail:12") +
                 ours("zroot/jaild/k3f9a-9", "k3f9a:jail:9")) == std::vector{JailId{9}, JailId{12}});
    SECTION("of another jail, instance or parent, or of no jail") {
        const auto* name =
            GENERATE("zroot/jaild/k3f9a-13", "zroot/jaild/other-12", "zroot/jaild/k3f9a-012", "zroot/jaild/k3f9a-12x",
                     "zroot/jaild/k3f9a-", "zroot/jaild/k3f9a-12/data", "tank/jaild/k3f9a-12", "zroot/jaild/k3f9a--12");
        CHECK(listed(ours(name, "k3f9a:jail:12")).empty());
    }
    SECTION("without a mark, or with one that it inherits or received") {
        const auto* source = GENERATE("inherited from zroot/jaild", "received", "default", "-");
        CHECK(listed(zfs_row("zroot/jaild/k3f9a-12", "jaild:owner", "k3f9a:jail:12", source) +
                     zfs_row("zroot/jaild/k3f9a-12", "jailed", "off", "default"))
                  .empty());
    }
    SECTION("handed to a jail, or of unknown state") {
        CHECK(listed(zfs_row("zroot/jaild/k3f9a-12", "jaild:owner", "k3f9a:jail:12", "local") +
                     zfs_row("zroot/jaild/k3f9a-12", "jailed", "on", "local"))
                  .empty());
        CHECK(listed(zfs_row("zroot/jaild/k3f9a-12", "jaild:owner", "k3f9a:jail:12", "local")).empty());
    }
}

TEST_CASE("a template's dataset is none of a jail's, nor the other way round", "[freebsd][zfs]") {
    CHECK(zfs::dataset("zroot/jaild", instance(), TemplateId{12}) == "zroot/jaild/k3f9a-t12");
    CHECK(zfs::owner(instance(), TemplateId{12}) == "k3f9a:template:12");
    const auto output =
        ours("zroot/jaild/k3f9a-12", "k3f9a:jail:12") + ours("zroot/jaild/k3f9a-13", "k3f9a:template:13") +
        ours("zroot/jaild/k3f9a-t12", "k3f9a:template:12") + ours("zroot/jaild/k3f9a-t14", "k3f9a:jail:14") +
        ours("zroot/jaild/k3f9a-t15", "other:template:15");
    CHECK(listed(output) == std::vector{JailId{12}});
    CHECK(value_of(zfs::templates(output, "zroot/jaild", instance())) == std::vector{TemplateId{12}});
}

TEST_CASE("a pool is what is before the first slash", "[freebsd][zfs]") {
    CHECK(zfs::pool_of("zroot/jaild/k3f9a-12") == "zroot");
    CHECK(zfs::pool_of("zroot") == "zroot");
}

TEST_CASE("storage is what a dataset has of its own", "[freebsd][zfs]") {
    const std::string name = "zroot/jaild/k3f9a-12";
    const auto output = zfs_row(name, "refquota", "10485760", "local") +
                        zfs_row(name, "refreservation", "0", "default") +
                        zfs_row(name, "compression", "lz4", "inherited from zroot") +
                        zfs_row("zroot/jaild/k3f9a-13", "compression", "zstd-9", "local");
    const auto all = value_of(zfs::storage_of(output));
    CHECK(all.at(name) == model::Storage{.quota = {10 << 20}, .reservation = {}, .compression = ""});
    CHECK(all.at("zroot/jaild/k3f9a-13").compression == "zstd-9");
    CHECK(error_of(zfs::storage_of(zfs_row(name, "refquota", "10M", "local"))).code == Errc::corrupt);
}

TEST_CASE("a reservation never is above the quota on the way", "[freebsd][zfs]") {
    const std::string name = "zroot/a";
    const auto set = [&](const char* property, const char* value) {
        return Argv{"zfs", "set", std::string(property) + "=" + value, name};
    };
    const model::Storage small{.quota = {5 << 20}, .reservation = {4 << 20}, .compression = ""};
    const model::Storage large{.quota = {9 << 20}, .reservation = {8 << 20}, .compression = "lz4"};
    CHECK(zfs::set_storage(name, small, large) ==
          std::vector{set("refquota", "9437184"), set("refreservation", "8388608"), set("compression", "lz4")});
    CHECK(zfs::set_storage(name, large, small) == std::vector{set("refreservation", "4194304"),
                                                              set("refquota", "5242880"),
                                                              Argv{"zfs", "inherit", "compression", name}});
    CHECK(zfs::set_storage(name, small, {}) == std::vector{set("refreservation", "none"), set("refquota", "none")});
    CHECK(zfs::set_storage(name, small, small).empty());
}

TEST_CASE("an answer that zfs would not give is an error, not an absence", "[freebsd][zfs]") {
    const auto* output = GENERATE("cannot open\n", "a\tb\tc\n", "a\tb\tc\td\te\n");
    CHECK(error_of(zfs::jails(output, "zroot/jaild", instance())).code == Errc::corrupt);
}

TEST_CASE("a configured parent is a dataset's name", "[freebsd][zfs]") {
    for (const char* good : {"zroot", "zroot/jaild", "tank-1/a_b/c.d:e"}) CHECK(zfs::check_name(good));
    for (const char* bad :
         {"", "/zroot", "zroot/", "zroot//jaild", "zroot/..", "zroot/a b", "-o", "1pool", "zroot/jaild@a"}) {
        INFO(bad);
        CHECK(error_of(zfs::check_name(bad)).reason == "invalid_dataset");
    }
    CHECK(zfs::check_name(std::string(200, 'z')));
    CHECK_FALSE(zfs::check_name(std::string(201, 'z')));
}
