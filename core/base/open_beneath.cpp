#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/base/path_walk.h"

#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

namespace jaild::files {
namespace {

Error failed(std::string_view op, int saved, const std::string& path) {
    // FreeBSD answers EMLINK where a final symbolic link meets O_NOFOLLOW, others ELOOP.
    if (saved == ELOOP || saved == EMLINK)
        return Error{.code = Errc::invalid,
                     .op = op,
                     .sys = saved,
                     .detail = path + " is or holds a symbolic link",
                     .reason = "symbolic_link"};
    return Error::from_errno(op, saved, path);
}

/// What is opened must be the object itself: with O_PATH, O_NOFOLLOW would answer with the link.
Result<void> refuse_link(int fd, const std::string& path) {
    struct stat seen {};
    if (::fstat(fd, &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, path));
    if (S_ISLNK(seen.st_mode)) return std::unexpected(failed("openat", ELOOP, path));
    return {};
}

#ifdef __linux__
/// ENOSYS (before Linux 5.6, or a seccomp profile that does not know it) is left to the caller.
int open_by_kernel(int directory, const std::string& path, int flags, unsigned mode) {
    open_how how{};
    // RESOLVE_NO_SYMLINKS does O_NOFOLLOW's work, and unlike it refuses a final link under O_PATH too.
    how.flags = static_cast<unsigned>((flags & ~O_NOFOLLOW) | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode & 07777U : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    int fd = -1;
    do {
        fd = static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
    } while (fd < 0 && errno == EINTR);
    return fd;
}
#endif

Result<UniqueFd> open_component(int directory, const std::string& name, int flags, unsigned mode) {
    int fd = -1;
    do {
        fd = ::openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, static_cast<mode_t>(mode));
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return std::unexpected(failed("openat", errno, name));
    return UniqueFd(fd);
}

}  // namespace

Result<std::vector<std::string>> split_relative(const std::filesystem::path& relative) {
    const std::string text = relative.string();
    const auto refused = [&](const char* why) {
        return std::unexpected(Error::invalid("invalid_path", "", "path \"" + text + "\" " + why));
    };
    if (text == ".") return std::vector<std::string>{};
    if (text.empty()) return refused("is empty");
    if (text.front() == '/') return refused("is absolute");
    if (text.find('\0') != std::string::npos) return refused("holds a NUL");
    std::vector<std::string> components;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto slash = std::min(text.find('/', begin), text.size());
        auto component = text.substr(begin, slash - begin);
        if (component.empty() || component == "." || component == "..")
            return refused("has an empty, \".\" or \"..\" component");
        components.push_back(std::move(component));
        begin = slash + 1;
    }
    return components;
}

Result<UniqueFd> open_by_walk(int directory, const std::vector<std::string>& components, int flags, unsigned mode) {
    if (components.empty()) return open_component(directory, ".", flags, mode);
    UniqueFd held;
    int current = directory;
    for (std::size_t i = 0; i + 1 < components.size(); ++i) {
        auto next = open_component(current, components[i], O_PATH, 0);
        if (!next) return next;
        if (auto real = refuse_link(next->get(), components[i]); !real) return std::unexpected(real.error());
        held = *std::move(next);
        current = held.get();
    }
    auto opened = open_component(current, components.back(), flags, mode);
    if (!opened) return opened;
    if (auto real = refuse_link(opened->get(), components.back()); !real) return std::unexpected(real.error());
    return opened;
}

Result<UniqueFd> open_beneath(int directory, const std::filesystem::path& relative, int flags, unsigned mode) {
    const auto components = split_relative(relative);
    if (!components) return std::unexpected(components.error());
#ifdef __linux__
    const int fd = open_by_kernel(directory, relative.string(), flags, mode);
    if (fd >= 0) return UniqueFd(fd);
    if (errno != ENOSYS) return std::unexpected(failed("openat2", errno, relative.string()));
#endif
    return open_by_walk(directory, *components, flags, mode);
}

Result<UniqueFd> reopen(int path_only, int flags) {
#ifdef __linux__
    // proc(5): opening this link opens the very object, whatever became of its name.
    const auto self = "/proc/self/fd/" + std::to_string(path_only);
    const int fd = ::open(self.c_str(), flags | O_CLOEXEC);
#else
    const int fd = ::openat(path_only, "", flags | O_EMPTY_PATH | O_CLOEXEC);
#endif
    if (fd < 0) return std::unexpected(Error::from_errno("open", errno, "opening a held file anew"));
    return UniqueFd(fd);
}

Result<UniqueFd> open_file(int directory, const std::filesystem::path& relative, int flags) {
    auto held = open_beneath(directory, relative, O_PATH);
    if (!held) return held;
    struct stat seen {};
    if (::fstat(held->get(), &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, relative.string()));
    if (!S_ISREG(seen.st_mode))
        return std::unexpected(Error::invalid("not_a_file", "", relative.string() + " is not a regular file"));
    return reopen(held->get(), flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
}

Result<UniqueFd> make_directories(int directory, const std::filesystem::path& relative, unsigned mode) {
    const auto components = split_relative(relative);
    if (!components) return std::unexpected(components.error());
    auto current = open_beneath(directory, ".", O_RDONLY | O_DIRECTORY);
    if (!current) return current;
    for (const auto& component : *components) {
        const bool made = ::mkdirat(current->get(), component.c_str(), static_cast<mode_t>(mode)) == 0;
        if (!made && errno != EEXIST) return std::unexpected(Error::from_errno("mkdirat", errno, relative.string()));
        auto next = open_beneath(current->get(), component, O_RDONLY | O_DIRECTORY);
        if (!next) return next;
        // mkdirat(2) subtracts the process's umask, which belongs to whoever started us.
        if (made && ::fchmod(next->get(), static_cast<mode_t>(mode)) != 0)
            return std::unexpected(Error::from_errno("fchmod", errno, relative.string()));
        current = std::move(next);
    }
    return current;
}

}  // namespace jaild::files
