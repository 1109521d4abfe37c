#pragma once

#include <optional>
#include <string>

#include "core/kernel/freebsd/pure/parameter_types.h"

/// The jail parameters of FreeBSD 14.0 with GENERIC's modules and those of the file systems that jails may have. Pure.
namespace jaild::kernel::memory {

std::optional<freebsd::ParameterType> parameter_type(const std::string& name);
/// For the conversions of parameter_types.h.
Result<std::optional<freebsd::ParameterType>> ask_parameter_type(const std::string& name);

using ParameterSetting = decltype(freebsd::Parameter::value);
/// What jail_get(2) answers for a parameter that was set to this; nothing: never set, so a new jail's default.
model::ParameterValue shown(const freebsd::KnownParameter& parameter, const std::optional<ParameterSetting>& setting);

}  // namespace jaild::kernel::memory
