#include "core/kernel/freebsd/pure/parameter_types.h"

#include <map>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel::freebsd;
using jaild::test::error_of;
using jaild::test::value_of;
using model::ParameterValue;

namespace {

// As `sysctl -t security.jail.param` of 14.0 has them: CTLTYPE | CTLFLAG_RD (0x80000000) | CTLFLAG_WR (0x40000000) or
// CTLFLAG_TUN (0x00080000) | CTLFLAG_MPSAFE (0x00040000).
constexpr std::uint32_t kRw = 0xc0040000;
constexpr std::uint32_t kRdTun = 0x800c0000;
constexpr std::uint32_t kRd = 0x80040000;

const std::map<std::string, ParameterType>& table() {
    static const std::map<std::string, ParameterType> all{
        {"allow.mount", parameter_type(kRw | 2, "B", "")},
        {"allow.nfsd", parameter_type(kRw | 2, "B", "")},
        {"securelevel", parameter_type(kRw | 2, "I", "")},
        {"children.max", parameter_type(kRw | 2, "I", "")},
        {"enforce_statfs", parameter_type(kRw | 2, "I", "")},
        {"osreldate", parameter_type(kRdTun | 2, "I", "")},
        {"osrelease", parameter_type(kRdTun | 3, "A", "32")},
        {"children.cur", parameter_type(kRd | 2, "I", "")},
        {"sysvmsg", parameter_type(kRw | 2, "E,jailsys", "")},
        {"host.hostid", parameter_type(kRw | 8, "LU", "")},
        {"ip4.addr", parameter_type(kRw | 5, "S,in_addr,a", "")},
        {"ip6.addr", parameter_type(kRw | 5, "S,in6_addr,a", "")},
        {"x.uint", parameter_type(kRw | 6, "IU", "")},
        {"x.long", parameter_type(kRw | 7, "L", "")},
        {"x.s64", parameter_type(kRw | 4, "Q", "")},
        {"x.u64", parameter_type(kRw | 9, "QU", "")},
        {"x.struct", parameter_type(kRw | 5, "S,timeval", "")},
    };
    return all;
}

Result<std::optional<ParameterType>> type_of(const std::string& name) {
    const auto found = table().find(name);
    return found == table().end() ? std::nullopt : std::optional(found->second);
}

/// The one parameter as jail_set(2) takes it, as an argument: "securelevel=i:-1".
std::string written(const std::string& name, const ParameterValue& value) {
    return to_argument(value_of(to_kernel({{name, value}}, type_of)).at(0));
}

std::string refused(const std::string& name, const ParameterValue& value) {
    const auto error = error_of(to_kernel({{name, value}}, type_of));
    CHECK(error.field == "/parameters/" + name);
    return std::string(error.name());
}

std::string four(std::uint32_t number) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift & 0xff);
    return bytes;
}

}  // namespace

TEST_CASE("a parameter's type is what its sysctl says", "[freebsd][parameters]") {
    using enum ParameterKind;
    CHECK(table().at("allow.mount") == ParameterType{.kind = boolean, .settable = Settable::always, .size = 4});
    CHECK(table().at("sysvmsg") == ParameterType{.kind = jail_sys, .settable = Settable::always, .size = 4});
    CHECK(table().at("securelevel") == ParameterType{.kind = int32, .settable = Settable::always, .size = 4});
    CHECK(table().at("x.uint").kind == uint32);
    CHECK(table().at("x.long") == ParameterType{.kind = int64, .settable = Settable::always, .size = 8});
    CHECK(table().at("x.s64").kind == int64);
    CHECK(table().at("host.hostid") == ParameterType{.kind = uint64, .settable = Settable::always, .size = 8});
    CHECK(table().at("x.u64").kind == uint64);
    CHECK(table().at("osrelease") == ParameterType{.kind = text, .settable = Settable::at_creation, .size = 32});
    CHECK(table().at("children.cur").settable == Settable::never);
    CHECK(table().at("ip4.addr").kind == ipv4_list);
    CHECK(table().at("ip6.addr").kind == ipv6_list);
    CHECK(table().at("x.struct").kind == other);
}

TEST_CASE("a boolean is true, false, 1 or 0, by its name or its \"no\" name", "[freebsd][parameters]") {
    CHECK(written("allow.mount", true) == "allow.mount=b:1");
    CHECK(written("allow.mount", std::int64_t{0}) == "allow.mount=b:0");
    CHECK(written("allow.nomount", true) == "allow.mount=b:0");
    CHECK(written("allow.nomount", false) == "allow.mount=b:1");
    CHECK(written("allow.nfsd", true) == "allow.nfsd=b:1");
    CHECK(written("allow.nonfsd", true) == "allow.nfsd=b:0");
    CHECK(refused("allow.mount", std::int64_t{2}) == "wrong_type");
    CHECK(refused("allow.mount", std::string("true")) == "wrong_type");
    CHECK(refused("nosecurelevel", true) == "no_such_parameter");  // only a boolean has such a name
}

TEST_CASE("numbers keep the width of their type, and its bounds", "[freebsd][parameters]") {
    CHECK(written("securelevel", std::int64_t{-1}) == "securelevel=i:-1");
    CHECK(written("x.uint", std::int64_t{4294967295}) == "x.uint=i:-1");  // the same four bytes
    CHECK(written("x.long", std::int64_t{-5}) == "x.long=q:-5");
    CHECK(written("host.hostid", std::uint64_t{UINT64_MAX}) == "host.hostid=Q:18446744073709551615");
    CHECK(written("host.hostid", std::int64_t{7}) == "host.hostid=Q:7");
    CHECK(refused("x.uint", std::int64_t{-1}) == "invalid_value");
    CHECK(refused("x.uint", std::int64_t{4294967296}) == "invalid_value");
    CHECK(refused("x.long", std::uint64_t{UINT64_MAX}) == "invalid_value");
    CHECK(refused("host.hostid", std::int64_t{-1}) == "invalid_value");
    CHECK(refused("securelevel", true) == "wrong_type");
    CHECK(refused("securelevel", std::string("3")) == "wrong_type");
}

TEST_CASE("what jail_set(2) refuses without a word is refused with one", "[freebsd][parameters]") {
    CHECK(written("securelevel", std::int64_t{3}) == "securelevel=i:3");
    CHECK(refused("securelevel", std::int64_t{4}) == "invalid_value");
    CHECK(refused("securelevel", std::uint64_t{UINT64_MAX}) == "invalid_value");
    CHECK(refused("enforce_statfs", std::int64_t{3}) == "invalid_value");
    CHECK(refused("enforce_statfs", std::int64_t{-1}) == "invalid_value");
    CHECK(refused("children.max", std::int64_t{-1}) == "invalid_value");
    CHECK(refused("osreldate", std::int64_t{0}) == "invalid_value");
}

TEST_CASE("a subsystem is new, inherited or disabled", "[freebsd][parameters]") {
    CHECK(written("sysvmsg", std::string("disable")) == "sysvmsg=i:0");
    CHECK(written("sysvmsg", std::string("new")) == "sysvmsg=i:1");
    CHECK(written("sysvmsg", std::string("inherit")) == "sysvmsg=i:2");
    CHECK(refused("sysvmsg", std::string("yes")) == "wrong_type");
    CHECK(refused("sysvmsg", std::int64_t{1}) == "wrong_type");
}

TEST_CASE("a text is shorter than its type's size, for its NUL", "[freebsd][parameters]") {
    CHECK(written("osrelease", std::string(31, 'x')) == "osrelease=s:" + std::string(31, 'x'));
    CHECK(refused("osrelease", std::string(32, 'x')) == "too_long");
    CHECK(refused("osrelease", std::int64_t{14}) == "wrong_type");
}

TEST_CASE("lists hold addresses of their family", "[freebsd][parameters]") {
    const auto v4 = value_of(IpAddress::parse("192.0.2.1"));
    const auto v6 = value_of(IpAddress::parse("::1"));
    CHECK(written("ip4.addr", std::vector{v4}) == "ip4.addr=a:192.0.2.1");
    CHECK(written("ip6.addr", std::vector<IpAddress>{}) == "ip6.addr=a:");
    CHECK(refused("ip4.addr", std::vector{v4, v6}) == "wrong_type");
    CHECK(refused("ip6.addr", std::string("::1")) == "wrong_type");
}

TEST_CASE("what this kernel does not know, or only lets be read, is refused with its field", "[freebsd][parameters]") {
    CHECK(refused("allow.teleport", true) == "no_such_parameter");
    CHECK(refused("allow.noteleport", true) == "no_such_parameter");
    CHECK(refused("children.cur", std::int64_t{1}) == "reserved_parameter");
    CHECK(refused("x.struct", std::int64_t{1}) == "no_such_parameter");
    CHECK(error_of(to_kernel({{"x", true}}, [](const auto&) -> Result<std::optional<ParameterType>> {
              return std::unexpected(Error::from_errno("sysctl", 5));
          })).sys == 5);
}

TEST_CASE("what jail_get(2) answers reads as what was written", "[freebsd][parameters]") {
    const auto read = [](const std::string& name, std::string_view bytes) {
        return from_kernel(value_of(known_parameter(name, type_of)), bytes);
    };
    using namespace std::string_literals;
    CHECK(read("allow.mount", four(1)) == ParameterValue(true));
    CHECK(read("allow.nomount", four(1)) == ParameterValue(false));
    CHECK(read("securelevel", four(0xffffffff)) == ParameterValue(std::int64_t{-1}));
    CHECK(read("x.uint", four(0xffffffff)) == ParameterValue(std::int64_t{4294967295}));
    CHECK(read("host.hostid", "\x07\0\0\0\0\0\0\0"s) == ParameterValue(std::int64_t{7}));
    CHECK(read("host.hostid", std::string(8, '\xff')) == ParameterValue(UINT64_MAX));
    CHECK(read("sysvmsg", four(2)) == ParameterValue("inherit"s));
    CHECK(read("osrelease", "14.0\0\0\0"s) == ParameterValue("14.0"s));
    CHECK(read("sysvmsg", four(3)) == std::nullopt);
    CHECK(read("securelevel", "\1\0"s) == std::nullopt);
}

TEST_CASE("only modules that jails are made for are loaded for a parameter", "[freebsd][parameters]") {
    CHECK(module_of("allow.mount.nullfs") == "nullfs");
    CHECK(module_of("sysvshm") == "sysvshm");
    CHECK(module_of("linux") == "linux");
    CHECK(module_of("linux.osrelease") == "linux");
    for (const auto* other_name : {"allow.mount", "allow.mount.", "allow.mount.dtraceall", "allow.mount.nonullfs",
                                   "linuxes", "vmm", "allow.vmm"})
        CHECK(module_of(other_name).empty());
}
