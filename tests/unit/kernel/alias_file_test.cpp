#include "core/kernel/alias_file.h"

#include <fstream>

#include "tests/results.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::test;

namespace {

std::vector<Alias> two() {
    return {{.interface = "em0", .address = value_of(Prefix::parse("192.0.2.10/32"))},
            {.interface = "lo1", .address = value_of(Prefix::parse("2001:db8::10/64"))}};
}

}  // namespace

TEST_CASE("what a jail was given is kept for this boot of the host, and for no other", "[alias]") {
    const TempDirectory jail;
    CHECK(value_of(read_aliases(jail.path(), "a1")).empty());
    value_of(write_aliases(jail.path(), "a1", two()));
    CHECK(value_of(read_aliases(jail.path(), "a1")) == two());
    CHECK(value_of(read_aliases(jail.path(), "b2")).empty());
    value_of(write_aliases(jail.path(), "b2", {two().front()}));
    CHECK(value_of(read_aliases(jail.path(), "a1")).empty());
    CHECK(value_of(read_aliases(jail.path(), "b2")) == std::vector{two().front()});
}

TEST_CASE("a record of addresses that makes no sense gives none, whatever it holds", "[alias]") {
    const TempDirectory jail;
    for (const auto* text : {"", "nonsense", "[]", R"({"boot": 1, "aliases": []})", R"({"boot": "a1", "aliases": 5})",
                             R"({"boot": "a1", "aliases": [5, {}, {"interface": 1, "address": "192.0.2.1/32"},
                                 {"interface": "em0", "address": "x"}, {"interface": "em0"}]})"}) {
        INFO(text);
        std::ofstream(jail.path() / "aliases.json") << text;
        CHECK(value_of(read_aliases(jail.path(), "a1")).empty());
    }
}
