#include "core/kernel/freebsd/pure/parameter_types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace jaild::kernel::freebsd {
namespace {

// <sys/sysctl.h>: CTLTYPE and its values, CTLFLAG_WR, CTLFLAG_TUN.
constexpr std::uint32_t kTypeMask = 0xf;
constexpr std::uint32_t kInt = 2;
constexpr std::uint32_t kString = 3;
constexpr std::uint32_t kS64 = 4;
constexpr std::uint32_t kStruct = 5;
constexpr std::uint32_t kUInt = 6;
constexpr std::uint32_t kLong = 7;
constexpr std::uint32_t kULong = 8;
constexpr std::uint32_t kU64 = 9;
constexpr std::uint32_t kWritable = 0x40000000;
constexpr std::uint32_t kTunable = 0x00080000;

/// File systems with VFCF_JAIL, FreeBSD 14.
constexpr std::array<std::string_view, 8> kFileSystems{"fdescfs", "fusefs", "linprocfs", "linsysfs",
                                                       "nullfs",  "procfs", "tmpfs",     "zfs"};

/// kern_jail.c: "CTLFLAG_RDTUN … can be set at jail creation time but cannot be changed in an existing jail".
Settable settable(std::uint32_t bits) {
    if ((bits & kWritable) != 0) return Settable::always;
    return (bits & kTunable) != 0 ? Settable::at_creation : Settable::never;
}

std::size_t number_in(std::string_view text) {
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// Addresses one after another, in network order.
std::optional<model::ParameterValue> unpacked(std::string_view bytes, Family family) {
    const std::size_t each = IpAddress{.family = family}.bits() / 8;
    if (bytes.size() % each != 0) return std::nullopt;
    std::vector<IpAddress> addresses;
    for (; !bytes.empty(); bytes.remove_prefix(each)) {
        IpAddress address{.family = family};
        std::memcpy(address.bytes.data(), bytes.data(), each);
        addresses.push_back(address);
    }
    return addresses;
}

Error no_such(const std::string& name) {
    auto error =
        Error::invalid("no_such_parameter", "/parameters/" + name, "this kernel has no jail parameter " + name);
    error.remedy = "sysctl -N security.jail.param shows all; a module may have to be loaded first";
    return error;
}

}  // namespace

ParameterType parameter_type(std::uint32_t bits, std::string_view format, std::string_view value) {
    using enum ParameterKind;
    ParameterType type{.settable = settable(bits)};
    const auto as = [&](ParameterKind kind, std::size_t size) {
        type.kind = kind;
        type.size = size;
        return type;
    };
    switch (bits & kTypeMask) {
        case kInt:
            if (format.starts_with('B')) return as(boolean, sizeof(int));
            return as(format == "E,jailsys" ? jail_sys : int32, sizeof(int));
        case kUInt:
            return as(uint32, sizeof(unsigned));
        case kLong:  // LP64 on every processor that we build for
        case kS64:
            return as(int64, sizeof(std::int64_t));
        case kULong:
        case kU64:
            return as(uint64, sizeof(std::uint64_t));
        case kString:
            return as(text, number_in(value));
        case kStruct:
            if (format == "S,in_addr,a") return as(ipv4_list, 0);
            return as(format == "S,in6_addr,a" ? ipv6_list : other, 0);
        default:
            return type;
    }
}

std::string module_of(std::string_view parameter) {
    constexpr std::string_view mount = "allow.mount.";
    if (parameter.starts_with(mount)) {
        const auto name = parameter.substr(mount.size());
        return std::ranges::find(kFileSystems, name) == kFileSystems.end() ? std::string() : std::string(name);
    }
    if (parameter == "sysvmsg" || parameter == "sysvsem" || parameter == "sysvshm") return std::string(parameter);
    return parameter == "linux" || parameter.starts_with("linux.") ? "linux" : "";
}

Result<KnownParameter> known_parameter(const std::string& name, const TypeOf& type_of) {
    const auto type = type_of(name);
    if (!type) return std::unexpected(type.error());
    if (*type) return KnownParameter{.name = name, .negated = false, .type = **type};
    auto plain = model::without_no(name);
    if (plain.empty()) return std::unexpected(no_such(name));
    const auto of_plain = type_of(plain);
    if (!of_plain) return std::unexpected(of_plain.error());
    if (!*of_plain || (*of_plain)->kind != ParameterKind::boolean) return std::unexpected(no_such(name));
    return KnownParameter{.name = std::move(plain), .negated = true, .type = **of_plain};
}

std::optional<model::ParameterValue> from_kernel(const KnownParameter& parameter, std::string_view bytes) {
    using enum ParameterKind;
    const auto number = [&]<class T>(T value) -> std::optional<T> {
        if (bytes.size() != sizeof value) return std::nullopt;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    };
    switch (parameter.type.kind) {
        case boolean:
            if (const auto value = number(int{})) return (*value != 0) != parameter.negated;
            return std::nullopt;
        case jail_sys:
            if (const auto value = number(int{})) {
                if (*value < 0 || *value > 2) return std::nullopt;
                return std::string(to_string(static_cast<JailSys>(*value)));
            }
            return std::nullopt;
        case int32:
            if (const auto value = number(int{})) return std::int64_t{*value};
            return std::nullopt;
        case uint32:
            if (const auto value = number(unsigned{})) return std::int64_t{*value};
            return std::nullopt;
        case int64:
            if (const auto value = number(std::int64_t{})) return *value;
            return std::nullopt;
        case uint64:
            if (const auto value = number(std::uint64_t{})) return model::number_value(*value);
            return std::nullopt;
        case text:
            return std::string(bytes.substr(0, bytes.find('\0')));
        case ipv4_list:
            return unpacked(bytes, Family::ipv4);
        case ipv6_list:
            return unpacked(bytes, Family::ipv6);
        default:
            return std::nullopt;
    }
}

}  // namespace jaild::kernel::freebsd
