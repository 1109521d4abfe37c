#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/kernel/freebsd/pure/parameter_types.h"

namespace jaild::kernel::freebsd {
namespace {

using model::ParameterValue;
using Wire = decltype(Parameter::value);

/// What kern_jail_set() refuses without saying so, or takes although it makes no sense.
struct Range {
    std::string_view name;
    std::int64_t least;
    std::int64_t most;
};
constexpr std::array<Range, 4> kRanges{{{"children.max", 0, 999'998},  // fewer than JAIL_MAX, which the host has
                                        {"enforce_statfs", 0, 2},
                                        {"osreldate", 1, std::numeric_limits<int>::max()},
                                        {"securelevel", -1, 3}}};

class Converter {
public:
    Converter(const KnownParameter& known, std::string field, const ParameterValue& value)
        : known_(known), field_(std::move(field)), value_(value) {}

    Result<Wire> convert() const {
        using enum ParameterKind;
        switch (known_.type.kind) {
            case boolean:
                return flag();
            case jail_sys:
                return subsystem();
            case int32:
                return number<int>();
            case uint32: {
                const auto value = number<unsigned>();
                if (!value) return value;
                return static_cast<int>(static_cast<unsigned>(std::get<std::uint64_t>(*value)));
            }
            case int64:
                return number<std::int64_t>();
            case uint64:
                return number<std::uint64_t>();
            case text:
                return characters();
            case ipv4_list:
                return addresses(Family::ipv4);
            case ipv6_list:
                return addresses(Family::ipv6);
            case other:
                break;
        }
        return refuse("no_such_parameter", "jaild does not know how to write it");
    }

private:
    [[nodiscard]] std::unexpected<Error> refuse(std::string_view reason, std::string why) const {
        return std::unexpected(Error::invalid(reason, field_, std::move(why)));
    }

    Result<Wire> flag() const {
        for (const bool on : {false, true})
            if (model::same_value(value_, on)) return on != known_.negated;
        return refuse("wrong_type", "must be true or false");
    }

    Result<Wire> subsystem() const {
        const auto* word = std::get_if<std::string>(&value_);
        for (const auto how : {JailSys::disable, JailSys::create, JailSys::inherit})
            if (word != nullptr && *word == to_string(how)) return static_cast<int>(how);
        return refuse("wrong_type", R"(must be "new", "inherit" or "disable")");
    }

    /// As T; an unsigned one of 32 bits is answered as std::uint64_t.
    template <class T>
    Result<Wire> number() const {
        using Wide = std::conditional_t<sizeof(T) == sizeof(int) && std::is_unsigned_v<T>, std::uint64_t, T>;
        const auto* small = std::get_if<std::int64_t>(&value_);
        const auto* large = std::get_if<std::uint64_t>(&value_);
        if (small == nullptr && large == nullptr) return refuse("wrong_type", "must be a whole number");
        const bool fits = small != nullptr ? std::in_range<T>(*small) : std::in_range<T>(*large);
        const auto* const range = std::ranges::find(kRanges, known_.name, &Range::name);
        const bool within =
            range == kRanges.end() || (small != nullptr && *small >= range->least && *small <= range->most);
        if (!within) return refuse("invalid_value", fmt::format("from {} to {}", range->least, range->most));
        if (!fits)
            return refuse("invalid_value",
                          fmt::format("from {} to {}", std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
        return small != nullptr ? static_cast<Wide>(*small) : static_cast<Wide>(*large);
    }

    Result<Wire> characters() const {
        const auto* text = std::get_if<std::string>(&value_);
        if (text == nullptr) return refuse("wrong_type", "must be a string");
        if (text->size() < known_.type.size) return *text;
        return refuse("too_long", fmt::format("longer than {} bytes", known_.type.size - 1));
    }

    Result<Wire> addresses(Family family) const {
        const auto* list = std::get_if<std::vector<IpAddress>>(&value_);
        const auto other = [&](const IpAddress& one) { return one.family != family; };
        if (list != nullptr && std::ranges::none_of(*list, other)) return *list;
        return refuse("wrong_type", family == Family::ipv4 ? "must be an array of IPv4 addresses"
                                                           : "must be an array of IPv6 addresses");
    }

    const KnownParameter& known_;
    std::string field_;
    const ParameterValue& value_;
};

}  // namespace

Result<Parameters> to_kernel(const model::Parameters& parameters, const TypeOf& type_of) {
    Parameters converted;
    for (const auto& [name, value] : parameters) {
        const auto known = known_parameter(name, type_of);
        if (!known) return std::unexpected(known.error());
        const auto field = "/parameters/" + name;
        if (known->type.settable == Settable::never)
            return std::unexpected(Error::invalid("reserved_parameter", field, name + " can only be read"));
        auto wire = Converter(*known, field, value).convert();
        if (!wire) return std::unexpected(wire.error());
        converted.push_back({.name = known->name, .value = *std::move(wire)});
    }
    return converted;
}

}  // namespace jaild::kernel::freebsd
