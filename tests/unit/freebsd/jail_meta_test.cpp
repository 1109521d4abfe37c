#include "core/kernel/freebsd/pure/jail_meta.h"

#include <algorithm>

#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "tests/instance.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel::freebsd;
using jaild::test::instance;

namespace {

constexpr JailId kMarked{12};

MetaSays says(std::string_view meta) {
    return read_jail_meta(meta, instance(), kMarked);
}

}  // namespace

TEST_CASE("meta is one line of key and value, byte by byte", "[freebsd][meta]") {
    CHECK(jail_meta(instance(), kMarked) == "jaild.owner=jaild:k3f9a:jail:12");
    CHECK(says(jail_meta(instance(), kMarked)) == MetaSays::ours);
    // security.jail.meta_maxbufsize is 4096 unless somebody lowers it.
    CHECK(jail_meta(instance(), JailId{INT64_MAX}).size() < 64);
}

TEST_CASE("our line is found among those of the host's admin", "[freebsd][meta]") {
    for (const auto* meta : {"jaild.owner=jaild:k3f9a:jail:12\n", "a=b\njaild.owner=jaild:k3f9a:jail:12",
                             "a=b\n\n=\njaild.owner=jaild:k3f9a:jail:12\nrack=7\n"}) {
        INFO(meta);
        CHECK(says(meta) == MetaSays::ours);
    }
}

TEST_CASE("a meta that says nothing of jaild leaves it to the path", "[freebsd][meta]") {
    for (const auto* meta : {"", "\n", "a=b", "jaild.owner", "xjaild.owner=jaild:k3f9a:jail:1", "jaild.owners=x",
                             "note=jaild.owner=jaild:k3f9a:jail:1", " jaild.owner=x"}) {
        INFO(meta);
        CHECK(says(meta) == MetaSays::nothing);
    }
}

TEST_CASE("another jail's mark, another installation's, and one that is no mark, is not ours", "[freebsd][meta]") {
    for (const auto* meta :
         {"jaild.owner=jaild:k3f9a:jail:1", "jaild.owner=jaild:k3f9a:jail:123", "jaild.owner=jaild:other:jail:12",
          "jaild.owner=jaild:k3f9a:network:12", "jaild.owner=", "jaild.owner=jaild:k3f9a:jail:12 ",
          "jaild.owner=jaild:other:jail:1\njaild.owner=jaild:k3f9a:jail:12"}) {
        INFO(meta);
        CHECK(says(meta) == MetaSays::theirs);
    }
}

TEST_CASE("a new jail's meta is a string of jail_set(2), and is not there on a kernel without", "[freebsd][meta]") {
    using namespace std::string_literals;
    const JailParameters web{.id = kMarked, .name = *model::Name::parse("web"), .hostname = "web"};
    const auto with = encode(creation_parameters(web, "/r", {}, jail_meta(instance(), kMarked)));
    const auto without = encode(creation_parameters(web, "/r"));
    CHECK(with.back() == EncodedParameter{"meta\0"s, "jaild.owner=jaild:k3f9a:jail:12\0"s});
    CHECK(with.size() == without.size() + 1);
    CHECK(std::ranges::none_of(without, [](const auto& one) { return one.name == "meta\0"s; }));
    // On its way through the arguments of jaild-inside its "=" stays what it is.
    const Parameter meta{"meta", jail_meta(instance(), kMarked)};
    CHECK(to_argument(meta) == "meta=s:jaild.owner=jaild:k3f9a:jail:12");
    CHECK(parse_argument(to_argument(meta)) == meta);
}
