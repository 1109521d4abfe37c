#include "core/upgrade/merge_records.h"

#include "tests/catch.h"

using namespace jaild::upgrade;

namespace {

constexpr const char* kUsers =
    "# users\nroot:*:0:0:Charlie:/root:/bin/sh\ndaemon:*:1:1::/:/nologin\nwww:*:80:80::/:/nologin\n";

std::string with(std::string text, const std::string& what, const std::string& instead) {
    text.replace(text.find(what), what.size(), instead);
    return text;
}

}  // namespace

TEST_CASE("records: what one side changes is taken", "[upgrade][records]") {
    const auto changed = with(kUsers, "Charlie", "Root");
    CHECK(merge_records(kUsers, changed, kUsers) == changed);
    CHECK(merge_records(kUsers, kUsers, changed) == changed);
    CHECK(merge_records(kUsers, changed, changed) == changed);
}

TEST_CASE("records: both sides add some at the same place", "[upgrade][records]") {
    const std::string mine = "me:*:1001:1001::/home/me:/bin/sh\n";
    const std::string added = "_svc:*:600:600::/:/nologin\n";
    CHECK(merge_records(kUsers, kUsers + mine, kUsers + added) == kUsers + added + mine);
    CHECK(merge_records(kUsers, kUsers + mine, kUsers + mine) == kUsers + mine);
}

TEST_CASE("records: a new one comes after the one that it follows", "[upgrade][records]") {
    const auto theirs = with(kUsers, "www:", "_svc:*:600:600::/:/nologin\nwww:");
    const auto ours = with(kUsers, "daemon:", "me:*:1001:1001::/:/bin/sh\ndaemon:");
    CHECK(merge_records(kUsers, ours, theirs) == with(ours, "www:", "_svc:*:600:600::/:/nologin\nwww:"));
    CHECK(merge_records("", "a:*:1\n", "b:*:2\n") == "b:*:2\na:*:1\n");
}

TEST_CASE("records: one that both changed is merged by fields", "[upgrade][records]") {
    const auto ours = with(kUsers, "root:*:", "root:$6$hash:");
    const auto theirs = with(kUsers, "/bin/sh", "/bin/csh");
    CHECK(merge_records(kUsers, ours, theirs) == with(ours, "/bin/sh", "/bin/csh"));
    CHECK(merge_records(kUsers, with(kUsers, "Charlie", "Me"), with(kUsers, "Charlie", "You")) == std::nullopt);
    CHECK(merge_records("a:1:2\n", "a:1:3\n", "a:1:2:4\n") == std::nullopt);
}

TEST_CASE("records: what one side removes goes, unless the other changed it", "[upgrade][records]") {
    const auto without = with(kUsers, "www:*:80:80::/:/nologin\n", "");
    CHECK(merge_records(kUsers, without, kUsers) == without);
    CHECK(merge_records(kUsers, kUsers, without) == without);
    const auto changed = with(kUsers, "www:*:80:80:", "www:*:80:80:W");
    CHECK(merge_records(kUsers, without, changed) == std::nullopt);
    CHECK(merge_records(kUsers, changed, without) == std::nullopt);
}

TEST_CASE("records: no two names get the same number by a merge", "[upgrade][records]") {
    const auto ours = kUsers + std::string("me:*:600:600::/:/bin/sh\n");
    CHECK(merge_records(kUsers, ours, kUsers + std::string("_svc:*:600:600::/:/nologin\n")) == std::nullopt);
    CHECK(merge_records(kUsers, ours, kUsers + std::string("me:*:601:601::/:/nologin\n")) == std::nullopt);
    // As root and toor, which the template itself has.
    CHECK(merge_records(kUsers, ours, kUsers + std::string("toor:*:0:0::/root:\n")) ==
          kUsers + std::string("toor:*:0:0::/root:\nme:*:600:600::/:/bin/sh\n"));
}

TEST_CASE("records: comments stay, a name that is there twice is not merged", "[upgrade][records]") {
    CHECK(merge_records(kUsers, "# mine\n" + std::string(kUsers), kUsers) == "# mine\n" + std::string(kUsers));
    CHECK(merge_records(kUsers, kUsers + std::string("www:*:81:81::/:/x\n"), kUsers) == std::nullopt);
    CHECK(merge_records("", "", "") == "");
    CHECK(merge_records("a:*:1", "a:*:1", "a:*:1\nb:*:2") == "a:*:1\nb:*:2\n");
}

TEST_CASE("records: which files have them", "[upgrade][records]") {
    CHECK(is_record_file("master.passwd"));
    CHECK(is_record_file("group"));
    CHECK_FALSE(is_record_file("ssh/passwd"));
    CHECK_FALSE(is_record_file("motd"));
}
