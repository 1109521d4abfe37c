#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild::templates {

/// An open file in `directory` without a name: gone with its descriptor, and with whoever held it.
Result<UniqueFd> nameless_file(const std::filesystem::path& directory);

/// An archive on its way to disk, from a client. Blocking; one thread at a time.
class Upload {
public:
    /// Into `directory`, which is made when it is missing. `most`: bytes that may come.
    static Result<Upload> begin(const std::filesystem::path& directory, std::uint64_t most);
    /// Errc::invalid "archive_too_large"; Errc::exhausted "disk_full".
    Result<void> add(std::string_view piece);
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    /// All of it, to be read from its beginning.
    [[nodiscard]] UniqueFd take() && { return std::move(file_); }

private:
    Upload(UniqueFd file, std::filesystem::path directory, std::uint64_t most)
        : file_(std::move(file)), directory_(std::move(directory)), most_(most) {}

    UniqueFd file_;
    std::filesystem::path directory_;
    std::uint64_t most_;
    std::uint64_t bytes_ = 0;
};

}  // namespace jaild::templates
