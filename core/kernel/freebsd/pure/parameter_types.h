#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "core/model/parameters.h"

/// From what a user writes to what jail_set(2) takes, and back from jail_get(2). Pure: which parameters there are is
/// asked through TypeOf.
namespace jaild::kernel::freebsd {

enum class ParameterKind { boolean, jail_sys, int32, uint32, int64, uint64, text, ipv4_list, ipv6_list, other };
enum class Settable { never, at_creation, always };

struct ParameterType {
    ParameterKind kind = ParameterKind::other;
    Settable settable = Settable::always;
    std::size_t size = 0;  ///< of its value in bytes, a text's with its NUL at most; 0 for lists
    bool operator==(const ParameterType&) const = default;
};

/// `bits` and `format` are what sysctl {0, 4, …} answers for security.jail.param.NAME, `value` is its text: the size of
/// a string parameter. As jail(3) reads them.
ParameterType parameter_type(std::uint32_t bits, std::string_view format, std::string_view value);

/// The module that brings a parameter, as jail(8) would load it: "nullfs" for "allow.mount.nullfs". Empty: none. Only
/// file systems that jails may have, System V's and Linux's: a name in a spec must not load just any module.
std::string module_of(std::string_view parameter);

/// Nothing: this kernel has no such parameter.
using TypeOf = std::function<Result<std::optional<ParameterType>>(const std::string& name)>;

/// A parameter of a spec as the kernel knows it.
struct KnownParameter {
    std::string name;      ///< without its "no"
    bool negated = false;  ///< the spec named it by its "no" form
    ParameterType type;
};
/// Errc::invalid "no_such_parameter" with its field.
Result<KnownParameter> known_parameter(const std::string& name, const TypeOf& type_of);

/// Errc::invalid with the field of the first wrong one: "no_such_parameter", "reserved_parameter" (it can only be
/// read), "wrong_type", "too_long", "invalid_value".
Result<Parameters> to_kernel(const model::Parameters& parameters, const TypeOf& type_of);

/// What jail_get(2) wrote. Nothing for bytes that are no such value.
std::optional<model::ParameterValue> from_kernel(const KnownParameter& parameter, std::string_view bytes);

}  // namespace jaild::kernel::freebsd
