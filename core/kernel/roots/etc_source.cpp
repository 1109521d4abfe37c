#include "core/kernel/roots/etc_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "core/base/unique_fd.h"

namespace jaild::kernel {

Result<std::vector<std::string>> names_in(int directory) {
    UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) return std::unexpected(Error::from_errno("openat", errno));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
    if (!stream) return std::unexpected(Error::from_errno("fdopendir", errno));
    static_cast<void>(own.release());
    std::vector<std::string> names;
    while (names.size() < kEntryLimit) {
        errno = 0;
        const dirent* const entry = ::readdir(stream.get());
        if (!entry && errno != 0) return std::unexpected(Error::from_errno("readdir", errno));
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

Result<std::string> read_link(int directory, const std::string& name) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
    if (length < 0) return std::unexpected(Error::from_errno("readlinkat", errno, name));
    return std::string(target.data(), static_cast<std::size_t>(length));
}

bool holds_private_key(std::string_view content) {
    return content.find("PRIVATE KEY-----") != std::string_view::npos;
}

}  // namespace jaild::kernel
