#include "core/kernel/freebsd/pure/jail_parameters.h"

#include <cstring>

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel;
using namespace jaild::kernel::freebsd;

namespace {

std::string bytes(int number) {
    std::string text(sizeof number, '\0');
    std::memcpy(text.data(), &number, sizeof number);
    return text;
}

EncodedParameter text(std::string_view name, std::string_view value) {
    return {std::string(name) + '\0', std::string(value) + '\0'};
}

EncodedParameter number(std::string_view name, int value) {
    return {std::string(name) + '\0', bytes(value)};
}

JailParameters web(model::NetworkMode mode) {
    return {.id = {12}, .name = *model::Name::parse("web"), .hostname = "web.example.org", .mode = mode};
}

}  // namespace

TEST_CASE("a new jail's iovecs are what jail_set(2) reads: names and strings with their NUL, integers as int",
          "[freebsd]") {
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::vnet), "/var/db/jaild/jails/12/root"));

    CHECK(encoded == std::vector{text("name", "web"), text("path", "/var/db/jaild/jails/12/root"),
                                 text("host.hostname", "web.example.org"), number("vnet", 1),
                                 number("enforce_statfs", 2), number("devfs_ruleset", 5), number("children.max", 0)});
}

TEST_CASE("a jail without a link has a network stack of its own too, and no device of a network", "[freebsd]") {
    const auto encoded = encode(creation_parameters(web(model::NetworkMode::none), "/r"));

    CHECK(encoded.at(3) == number("vnet", 1));
    CHECK(encoded.at(5) == number("devfs_ruleset", 4));
}

TEST_CASE("a boolean has no value, and is off by its name", "[freebsd]") {
    const auto encoded = encode({{"persist", true}, {"persist", false}, {"allow.mount.nullfs", false}});

    CHECK(encoded == std::vector<EncodedParameter>{{std::string("persist") + '\0', std::nullopt},
                                                   {std::string("nopersist") + '\0', std::nullopt},
                                                   {std::string("allow.mount.nonullfs") + '\0', std::nullopt}});
}

TEST_CASE("an empty string is one NUL, not nothing", "[freebsd]") {
    CHECK(encode({{"host.domainname", ""}}).at(0).value == std::string(1, '\0'));
}

TEST_CASE("parameters survive the way through arguments of a program", "[freebsd]") {
    const Parameters all{{"persist", true},       {"allow.mount", false},     {"securelevel", -1},
                         {"enforce_statfs", 2},   {"host.hostname", "a=b:c"}, {"host.domainname", ""},
                         {"path", "/a b/\n/root"}};
    for (const auto& parameter : all) {
        CAPTURE(parameter.name);
        const auto back = parse_argument(to_argument(parameter));
        REQUIRE(back);
        CHECK(*back == parameter);
    }
}

TEST_CASE("an argument that is no parameter is refused", "[freebsd]") {
    const auto* argument = GENERATE("", "=s:x", "name", "name=", "name=s", "name=x:1", "vnet=i:", "vnet=i:1x",
                                    "vnet=i:99999999999", "persist=b:2", "persist=b:");
    CAPTURE(argument);
    CHECK_FALSE(parse_argument(argument));
}
