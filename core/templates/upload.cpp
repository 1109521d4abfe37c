#include "core/templates/upload.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/disk_full.h"
#include "core/base/random.h"

namespace jaild::templates {

Result<UniqueFd> nameless_file(const std::filesystem::path& directory) {
    const auto path = directory / ("." + random_hex(8));
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return std::unexpected(Error::from_errno("open", errno, path));
    if (::unlink(path.c_str()) != 0) return std::unexpected(Error::from_errno("unlink", errno, path));
    return file;
}

Result<Upload> Upload::begin(const std::filesystem::path& directory, std::uint64_t most) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(or_disk_full(Error::from_errno("mkdir", errno, directory), directory.parent_path()));
    auto file = nameless_file(directory);
    if (!file) return std::unexpected(or_disk_full(std::move(file.error()), directory));
    return Upload(*std::move(file), directory, most);
}

Result<void> Upload::add(std::string_view piece) {
    if (piece.size() > most_ - bytes_)
        return std::unexpected(Error::invalid("archive_too_large", {},
                                              fmt::format("the archive is larger than {} bytes, which is all that a "
                                                          "template may have (template_max_bytes)",
                                                          most_)));
    while (!piece.empty()) {
        const auto put = ::pwrite(file_.get(), piece.data(), piece.size(), static_cast<off_t>(bytes_));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return std::unexpected(or_disk_full(Error::from_errno("write", errno, "the upload"), directory_));
        piece.remove_prefix(static_cast<std::size_t>(put));
        bytes_ += static_cast<std::uint64_t>(put);
    }
    return {};
}

}  // namespace jaild::templates
