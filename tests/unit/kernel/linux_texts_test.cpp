#include "core/kernel/linux/pure/cgroup_texts.h"
#include "core/kernel/linux/pure/process_texts.h"
#include "core/kernel/user_names.h"
#include "tests/catch.h"

using namespace jaild::kernel;

TEST_CASE("numbers of control groups are read, and what is none is absent", "[stats]") {
    CHECK(cgroups::number_in("4096\n") == 4096);
    CHECK(cgroups::number_in("18446744073709551615\n") == ~std::uint64_t{0});
    for (const char* none : {"", "\n", "max\n", "-1\n", "12x\n", "18446744073709551616\n"}) {
        INFO(none);
        CHECK_FALSE(cgroups::number_in(none));
    }
    CHECK(cgroups::limit_in("536870912\n") == 536870912);
    CHECK_FALSE(cgroups::limit_in("9223372036854771712\n"));  // pages of 4 KiB
    CHECK_FALSE(cgroups::limit_in("9223372036854710272\n"));  // of 64 KiB
    CHECK_FALSE(cgroups::limit_in("max\n"));
}

TEST_CASE("a value is found by its whole key only", "[stats]") {
    constexpr auto kStat = "cache 1\ninactive_file 2\ntotal_inactive_file 3\nusage_usec 4\n";
    CHECK(cgroups::value_of(kStat, "inactive_file") == 2);
    CHECK(cgroups::value_of(kStat, "total_inactive_file") == 3);
    CHECK(cgroups::value_of(kStat, "usage_usec") == 4);
    CHECK_FALSE(cgroups::value_of(kStat, "usage"));
    CHECK_FALSE(cgroups::value_of("", "usage"));
}

TEST_CASE("the members of a group", "[stats]") {
    CHECK(cgroups::pids_in("1\n23\n0\nx\n456\n") == std::vector<std::int64_t>{1, 23, 456});
    CHECK(cgroups::pids_in("").empty());
}

TEST_CASE("what was read and written is summed over the devices", "[stats]") {
    const auto first = cgroups::blkio_in(
        "8:0 Read 4096\n8:0 Write 512\n8:0 Sync 9\n8:0 Async 9\n8:0 Discard 9\n8:0 Total 9\n254:0 Read 1\n254:0 Write "
        "2\nTotal 99\n");
    CHECK(first.read == 4097);
    CHECK(first.written == 514);
    constexpr auto kStat =
        "8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=9 dios=9\n254:0 rbytes=1 wbytes=2 rios=1 wios=1\n";
    const auto bytes = cgroups::io_stat_in(kStat, "bytes");
    CHECK(bytes.read == 4097);
    CHECK(bytes.written == 514);
    const auto operations = cgroups::io_stat_in(kStat, "ios");
    CHECK(operations.read == 3);
    CHECK(operations.written == 2);
    CHECK(cgroups::io_stat_in("", "bytes").read == 0);
}

TEST_CASE("a process may have any name and its numbers are still its own", "[stats]") {
    const std::string rest = " S 7 1 1 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 98765 1000 55 1844";
    for (const char* name : {"sh", "a b", ") R 1 1", "(((", "x) Z 2"}) {
        INFO(name);
        const auto stat = proc::parse_stat("42 (" + std::string(name) + ")" + rest + "\n");
        REQUIRE(stat);
        CHECK(stat->name == name);
        CHECK(stat->state == 'S');
        CHECK(stat->parent == 7);
        CHECK(stat->cpu_ticks == 42);
        CHECK(stat->started_ticks == 98765);
        CHECK(stat->resident_pages == 55);
    }
    for (const char* none : {"", "42", "42 (sh", ")42(", "42 (sh) S 7 1"}) {
        INFO(none);
        CHECK_FALSE(proc::parse_stat(none));
    }
}

TEST_CASE("the effective user and the innermost pid", "[stats]") {
    const auto status = proc::parse_status("Name:\tUid:\nUid:\t1000\t33\t0\t0\nGid:\t1\nNSpid:\t4711\t12\n");
    REQUIRE(status);
    CHECK(status->uid == 33);
    CHECK(status->inner_pid == 12);
    CHECK(status->nested);
    CHECK_FALSE(proc::parse_status("Uid:\t0\t0\t0\t0\nNSpid:\t4711\n")->nested);
    CHECK_FALSE(proc::parse_status("Uid:\t0\t0\t0\t0\n"));
    CHECK_FALSE(proc::parse_status("NSpid:\t1\nUid:\t0\n"));
}

TEST_CASE("a command with its arguments", "[stats]") {
    using namespace std::string_view_literals;
    CHECK(proc::command_of("sleep\0001000\0"sv, "sleep") == "sleep 1000");
    CHECK(proc::command_of("title\0\0\0"sv, "x") == "title");
    CHECK(proc::command_of(""sv, "kworker") == "[kworker]");
}

TEST_CASE("a group is not another one whose number begins alike", "[stats]") {
    const std::string_view file = "3:memory:/jaild/k3f9a/12\n2:cpu:/jaild/k3f9a/7/sub\n0::/\n";
    CHECK(proc::is_in_group(file, "jaild/k3f9a/12"));
    CHECK(proc::is_in_group(file, "jaild/k3f9a/7"));
    CHECK_FALSE(proc::is_in_group(file, "jaild/k3f9a/1"));
    CHECK_FALSE(proc::is_in_group(file, "jaild/k3f9a/123"));
    CHECK_FALSE(proc::is_in_group("", "jaild/k3f9a/1"));
}

TEST_CASE("the first name of a number counts, and a line that is none names nobody", "[stats]") {
    const auto names = user_names(
        "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nwww:x:80:80::/:/bin/sh\nshort:x:81\n"
        "bad\x1b[2J:x:82:82::/:/bin/sh\n:x:83:83::/:/bin/sh\nmany:x:84:84::/:/bin/sh:more\n");
    CHECK(names == std::map<std::uint32_t, std::string>{{0, "root"}, {80, "www"}});
}
