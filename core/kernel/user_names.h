#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace jaild::kernel {

/// The first name of each number in a passwd(5) that a jail's root wrote. Pure.
std::map<std::uint32_t, std::string> user_names(std::string_view passwd);

/// Of the file beneath a jail's root, read without following any link out of or in it, at most 1 MiB. None, or one that
/// cannot be read: no names. Blocking.
std::map<std::uint32_t, std::string> user_names_in(const std::filesystem::path& root);

}  // namespace jaild::kernel
