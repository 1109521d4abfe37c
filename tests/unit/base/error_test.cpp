#include "core/base/error.h"

#include <cerrno>

#include "tests/catch.h"

using namespace jaild;

TEST_CASE("an errno becomes the kind of failure that a caller can act on", "[error]") {
    const auto [number, code] = GENERATE(table<int, Errc>({{ENOENT, Errc::not_found},
                                                           {EBUSY, Errc::busy},
                                                           {ENOSPC, Errc::exhausted},
                                                           {EDQUOT, Errc::exhausted},
                                                           {EMFILE, Errc::exhausted},
                                                           {EPERM, Errc::denied},
                                                           {EACCES, Errc::denied},
                                                           {EEXIST, Errc::kernel},
                                                           {EINVAL, Errc::kernel}}));
    const auto error = Error::from_errno("mount", number, "/x");
    CHECK(error.code == code);
    CHECK(error.sys == number);
    CHECK(error.op == "mount");
}

TEST_CASE("an error's line says what failed, on what, why, and what to do", "[error]") {
    auto error = Error::from_errno("jail_set", ENOENT, "jail web");
    CHECK(error.detail == "jail web: No such file or directory");
    CHECK(error.to_string() == "jail_set: not_found: jail web: No such file or directory (errno 2)");
    error.detail = "jail web";
    error.remedy = "make it";
    CHECK(error.to_string() == "jail_set: not_found: jail web (errno 2: No such file or directory); make it");
    CHECK(Error::invalid("too_long", "/name", "63 at most").to_string() == "validate: too_long at /name: 63 at most");
}

TEST_CASE("an error without a reason is named after its code", "[error]") {
    CHECK(Error{.code = Errc::stale}.name() == "stale");
    CHECK(Error{.code = Errc::stale, .reason = "etag_mismatch"}.name() == "etag_mismatch");
}

TEST_CASE("an error's line is one line, whatever a name in it holds", "[error]") {
    const auto line = Error::invalid("unknown_field", "/a\nfake: all is well", "x\x1b[2J\x7f").to_string();
    CHECK(line == "validate: unknown_field at /a\\x0afake: all is well: x\\x1b[2J\\x7f");
}
