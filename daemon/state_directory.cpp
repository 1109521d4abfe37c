#include "daemon/state_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/kernel/identity.h"
#ifdef __FreeBSD__
#include <sys/types.h>
// sysctl.h wants types.h first.
#include <sys/sysctl.h>

#include <array>
#endif

namespace jaild::daemon {
namespace {

Result<std::filesystem::path> own_program() {
#ifdef __FreeBSD__
    std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
    std::array<char, 1024> path{};
    std::size_t length = path.size();
    if (::sysctl(name.data(), name.size(), path.data(), &length, nullptr, 0) != 0)
        return std::unexpected(Error::from_errno("sysctl", errno, "kern.proc.pathname"));
    return std::filesystem::path(path.data());
#else
    std::error_code error;
    auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return std::unexpected(Error::from_errno("readlink", error.value(), "/proc/self/exe"));
    return path;
#endif
}

Error unsafe(const std::filesystem::path& path, std::string_view mode) {
    return Error{.code = Errc::denied,
                 .op = "state_directory",
                 .detail = fmt::format("{} belongs to, or may be changed by, somebody else", path.string()),
                 .reason = "state_directory_unsafe",
                 .remedy = fmt::format("chown root {0} && chmod {1} {0}", path.string(), mode)};
}

/// Whoever may write to a directory, or owns it, gives its entries other names. In a sticky one (/tmp) that is only for
/// who owns the entry.
Result<void> check_ancestors(const std::filesystem::path& real) {
    for (auto path = real; path != path.root_path();) {
        path = path.parent_path();
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) return std::unexpected(Error::from_errno("stat", errno, path.string()));
        const bool foreign = status.st_uid != 0 && status.st_uid != ::geteuid();
        const bool open = (status.st_mode & 022) != 0 && (status.st_mode & S_ISVTX) == 0;
        if (foreign || open) return std::unexpected(unsafe(path, "go-w"));
    }
    return {};
}

}  // namespace

Result<std::filesystem::path> open_state_directory(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(Error::from_errno("mkdir", errno, path.string()));
    auto real = std::filesystem::canonical(path, error);
    if (error) return std::unexpected(Error::from_errno("realpath", error.value(), path.string()));
    struct stat status {};
    if (::stat(real.c_str(), &status) != 0) return std::unexpected(Error::from_errno("stat", errno, real.string()));
    if (!S_ISDIR(status.st_mode))
        return std::unexpected(Error::from_errno("stat", ENOTDIR, fmt::format("state directory {}", real.string())));
    if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) return std::unexpected(unsafe(real, "700"));
    if (auto checked = check_ancestors(real); !checked) return std::unexpected(checked.error());
    return real;
}

Result<std::string> state_identity(const std::filesystem::path& state_directory) {
    auto machine = kernel::host_identity();
    if (!machine) return machine;
    struct stat status {};
    if (::stat(state_directory.c_str(), &status) != 0)
        return std::unexpected(Error::from_errno("stat", errno, state_directory.string()));
    return fmt::format("{}/{}", *machine, status.st_ino);
}

Result<std::filesystem::path> helper_directory() {
    auto program = own_program();
    if (!program) return program;
    const auto directory = program->parent_path();
    for (const auto& candidate : {directory, directory.parent_path() / "libexec" / "jaild"})
        if (::access((candidate / "jaild-shim").c_str(), X_OK) == 0) return candidate;
    return std::unexpected(
        Error{.code = Errc::not_found,
              .op = "helpers",
              .detail = fmt::format("jaild-shim is neither in {0} nor in {0}/../libexec/jaild", directory.string()),
              .reason = "shim_missing",
              .remedy = "install jaild as a whole: cmake --install"});
}

std::filesystem::path archive_program(const std::filesystem::path& helpers) {
    auto program = helpers / "jaild-archive";
    return ::access(program.c_str(), X_OK) == 0 ? program : std::filesystem::path();
}

}  // namespace jaild::daemon
