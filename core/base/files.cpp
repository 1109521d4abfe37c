#include "core/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "core/base/path_walk.h"
#include "core/base/random.h"

namespace jaild::files {
namespace {

Result<std::string> read_all(int fd, const std::string& path, std::size_t limit) {
    std::string content;
    std::array<char, 16384> buffer;
    for (;;) {
        const auto got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno, path));
        if (got == 0) return content;
        if (static_cast<std::size_t>(got) > limit - content.size())
            return std::unexpected(Error{.code = Errc::exhausted,
                                         .op = "read",
                                         .detail = path + " is larger than " + std::to_string(limit) + " bytes",
                                         .reason = "file_too_large"});
        content.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<void> write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto put = ::write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return std::unexpected(Error::from_errno("write", errno));
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

/// A file under a temporary name; removed unless it got its own.
class Temporary {
public:
    static Result<Temporary> create(int directory) {
        auto name = ".jaild-" + random_hex(8) + ".tmp";
        // 0600 until fchmod(2) below: what is not whole is not for anybody else.
        auto fd = open_beneath(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (!fd) return std::unexpected(fd.error());
        return Temporary(directory, std::move(name), *std::move(fd));
    }
    Temporary(Temporary&& other) noexcept
        : directory_(std::exchange(other.directory_, -1)), name_(std::move(other.name_)), fd_(std::move(other.fd_)) {}
    Temporary& operator=(Temporary&&) = delete;
    ~Temporary() {
        if (directory_ >= 0) ::unlinkat(directory_, name_.c_str(), 0);
    }

    Result<void> fill(std::string_view content, unsigned mode) {
        if (auto written = write_all(fd_.get(), content); !written) return written;
        if (::fchmod(fd_.get(), static_cast<mode_t>(mode)) != 0)
            return std::unexpected(Error::from_errno("fchmod", errno));
        if (::fsync(fd_.get()) != 0) return std::unexpected(Error::from_errno("fsync", errno));
        return {};
    }
    Result<void> rename_to(const std::string& name) {
        if (::renameat(directory_, name_.c_str(), directory_, name.c_str()) != 0)
            return std::unexpected(Error::from_errno("renameat", errno));
        const int directory = std::exchange(directory_, -1);
        if (::fsync(directory) != 0) return std::unexpected(Error::from_errno("fsync", errno));
        return {};
    }

private:
    Temporary(int directory, std::string name, UniqueFd fd)
        : directory_(directory), name_(std::move(name)), fd_(std::move(fd)) {}
    int directory_;  ///< borrowed; -1 once there is nothing to remove
    std::string name_;
    UniqueFd fd_;
};

Result<void> replace_in(int directory, const std::string& name, std::string_view content, unsigned mode) {
    auto temporary = Temporary::create(directory);
    if (!temporary) return std::unexpected(temporary.error());
    auto done = temporary->fill(content, mode);
    if (done) done = temporary->rename_to(name);
    if (!done) done.error().detail = "writing " + name + ": " + done.error().detail;
    return done;
}

Result<void> check_file_name(const std::string& name) {
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos)
        return std::unexpected(Error::invalid("invalid_path", "", "\"" + name + "\" is not the name of a file"));
    return {};
}

}  // namespace

Result<UniqueFd> open_directory(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return std::unexpected(Error::from_errno("open", errno, path.string()));
    return UniqueFd(fd);
}

Result<std::string> read(int directory, const std::filesystem::path& relative, std::size_t limit) {
    auto fd = open_file(directory, relative, O_RDONLY);
    if (!fd) return std::unexpected(fd.error());
    return read_all(fd->get(), relative.string(), limit);
}

Result<std::string> read(const std::filesystem::path& path, std::size_t limit) {
    // O_NONBLOCK: a FIFO is found out by fstat(2) below, not by waiting for its writer.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fd) return std::unexpected(Error::from_errno("open", errno, path.string()));
    struct stat seen {};
    if (::fstat(fd.get(), &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, path.string()));
    if (!S_ISREG(seen.st_mode))
        return std::unexpected(Error::invalid("not_a_file", "", path.string() + " is not a regular file"));
    return read_all(fd.get(), path.string(), limit);
}

Result<void> write_atomic(int directory, const std::filesystem::path& relative, std::string_view content,
                          unsigned mode) {
    // As it stands: parent_path() below would take "a//b" for "a/b".
    if (auto good = split_relative(relative); !good) return std::unexpected(good.error());
    const auto name = relative.filename().string();
    if (auto good = check_file_name(name); !good) return good;
    const auto parent = relative.has_parent_path() ? relative.parent_path() : std::filesystem::path(".");
    const auto held = open_beneath(directory, parent, O_RDONLY | O_DIRECTORY);
    if (!held) return std::unexpected(held.error());
    return replace_in(held->get(), name, content, mode);
}

Result<void> write_atomic(const std::filesystem::path& path, std::string_view content, unsigned mode) {
    const auto name = path.filename().string();
    if (auto good = check_file_name(name); !good) return good;
    const auto held = open_directory(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
    if (!held) return std::unexpected(held.error());
    return replace_in(held->get(), name, content, mode);
}

Result<void> sync_filesystem([[maybe_unused]] int file) {
#ifdef __linux__
    if (::syncfs(file) != 0) return std::unexpected(Error::from_errno("syncfs", errno));
#else
    ::sync();
#endif
    return {};
}

}  // namespace jaild::files
