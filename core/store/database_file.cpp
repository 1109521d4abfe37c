#include "core/store/database_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/unique_fd.h"
#include "core/store/sqlite_error.h"

namespace jaild::store {
namespace {

// The database header, https://www.sqlite.org/fileformat2.html#the_database_header
constexpr std::size_t kHeaderSize = 100;
constexpr std::size_t kApplicationIdOffset = 68;
constexpr char kMagic[16] = "SQLite format 3";

Error not_ours(std::string detail) {
    return Error{.code = Errc::denied,
                 .op = "open_database",
                 .detail = std::move(detail),
                 .reason = "database_not_ours",
                 .remedy = "put a regular file that belongs to the user of this jaild in its place, or move it away"};
}

Result<void> check_header(int fd, const std::string& path) {
    std::array<unsigned char, kHeaderSize> header{};
    const ssize_t size = ::pread(fd, header.data(), header.size(), 0);
    if (size < 0) return std::unexpected(Error::from_errno("pread", errno, fmt::format("reading {}", path)));
    if (static_cast<std::size_t>(size) < header.size() || std::memcmp(header.data(), kMagic, sizeof kMagic) != 0) {
        return std::unexpected(corrupt("open_database", fmt::format("{} is not an SQLite database", path)));
    }
    std::uint32_t application = 0;
    for (std::size_t i = 0; i < 4; ++i) application = application << 8 | header[kApplicationIdOffset + i];
    if (application != static_cast<std::uint32_t>(kApplicationId)) {
        return std::unexpected(corrupt("open_database", fmt::format("{} is not a database of jaild", path)));
    }
    return {};
}

}  // namespace

Result<DatabaseFile> prepare_database_file(const std::filesystem::path& path) {
    const std::string name = path.string();
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!fd) {
        // A symbolic link is ELOOP on Linux, EMLINK on FreeBSD (open(2)).
        if (errno == ELOOP || errno == EMLINK) return std::unexpected(not_ours(name + " is a symbolic link"));
        return std::unexpected(Error::from_errno("open", errno, fmt::format("opening {}", name)));
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        return std::unexpected(Error::from_errno("fstat", errno, fmt::format("looking at {}", name)));
    }
    if (!S_ISREG(status.st_mode)) return std::unexpected(not_ours(name + " is not a regular file"));
    if (status.st_uid != ::geteuid()) {
        return std::unexpected(
            not_ours(fmt::format("{} belongs to user {}, not to user {}", name, status.st_uid, ::geteuid())));
    }
    if (status.st_size > 0) {
        if (auto known = check_header(fd.get(), name); !known) return std::unexpected(known.error());
    }
    // It holds secrets; a copy put back by hand often arrives as 0644.
    if ((status.st_mode & 07777) != 0600 && ::fchmod(fd.get(), 0600) != 0) {
        return std::unexpected(Error::from_errno("fchmod", errno, fmt::format("protecting {}", name)));
    }
    return status.st_size > 0 ? DatabaseFile::existing : DatabaseFile::fresh;
}

bool has_log(const std::filesystem::path& path) {
    auto log = path;
    log += "-wal";
    std::error_code ignored;
    const auto size = std::filesystem::file_size(log, ignored);
    return !ignored && size > 0;
}

}  // namespace jaild::store
