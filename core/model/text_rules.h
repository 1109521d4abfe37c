#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

/// What texts of a spec may look like, beyond their length and their control characters. Pure; for core/model only.
namespace jaild::model {

enum class RootPath { allowed, refused };

/// Absolute and normalized: no empty, "." or ".." component, no slash at the end. Errc::invalid "invalid_path".
Result<void> check_path(std::string_view path, RootPath root, const std::string& at);
/// RFC 1123 §2.1: labels of letters, digits and inner hyphens, at most 63 each, joined by dots.
Result<void> check_hostname(std::string_view name, const std::string& at);
/// POSIX.1 "Portable Filename Character Set" of passwd names, or a number.
Result<void> check_user(std::string_view user, const std::string& at);
/// A letter or "_", then letters, digits and "_".
Result<void> check_env_name(std::string_view name, const std::string& at);
/// A name that both systems take for an interface.
Result<void> check_host_interface_name(std::string_view name, const std::string& at);
/// The same, and that none has by itself.
Result<void> check_interface_name(std::string_view name, const std::string& at);
/// Six pairs of hexadecimal digits joined by ":", of one interface and not jaild's own; answered in lower case.
Result<std::string> read_mac(std::string_view text, const std::string& at);
/// Not empty, without "=", which ends a key in `?label=key=value`.
Result<void> check_label_key(std::string_view key, const std::string& at);

}  // namespace jaild::model
