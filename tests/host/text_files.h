#pragma once

#include <filesystem>
#include <string>

namespace jaild::test {

/// Empty when it cannot be read.
std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);

}  // namespace jaild::test
