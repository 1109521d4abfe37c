#include "core/base/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "core/base/spawn_process.h"

namespace jaild {
namespace {

/// A program is looked for where only the host's administrator writes, not where our environment points.
Result<std::string> resolve(const std::string& program) {
    const auto not_found = [&] {
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "spawn",
                                     .sys = ENOENT,
                                     .detail = "no program \"" + program + "\" in " + std::string(kSystemPath),
                                     .reason = "program_not_found",
                                     .remedy = "install " + program});
    };
    if (program.empty() || program.find('\0') != std::string::npos)
        return std::unexpected(Error::invalid("invalid_argv", "", "a program has a name"));
    if (program.front() == '/') return program;
    if (program.find('/') != std::string::npos)
        return std::unexpected(Error::invalid("invalid_argv", "", "the path of a program is absolute, not " + program));
    for (auto rest = kSystemPath; !rest.empty();) {
        const auto colon = std::min(rest.find(':'), rest.size());
        auto path = std::string(rest.substr(0, colon)) + "/" + program;
        struct stat seen {};
        if (::stat(path.c_str(), &seen) == 0 && S_ISREG(seen.st_mode) && ::access(path.c_str(), X_OK) == 0) return path;
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return not_found();
}

/// posix_spawn(3)'s file actions, freed with the object. An error is kept and shows at the end.
class FileActions {
public:
    FileActions() { keep(::posix_spawn_file_actions_init(&actions_)); }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    /// `from` as `to` there, or /dev/null when `from` is -1. `from` is none of the targets.
    void put(int from, int to) {
        keep(from < 0 ? ::posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", O_RDWR, 0)
                      : ::posix_spawn_file_actions_adddup2(&actions_, from, to));
    }
    void close_from(int lowest) { keep(::posix_spawn_file_actions_addclosefrom_np(&actions_, lowest)); }
    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
    void keep(int error) {
        if (error_ == 0) error_ = error;
    }
    posix_spawn_file_actions_t actions_{};
    int error_ = 0;
};

/// posix_spawn(3)'s attributes: no signal blocked, none ignored, and the asked-for session or process group.
class Attributes {
public:
    explicit Attributes(Grouping grouping) {
        ::posix_spawnattr_init(&attributes_);
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        // Not sigfillset(3): FreeBSD refuses SIGKILL and SIGSTOP here.
        sigset_t defaults;
        ::sigemptyset(&defaults);
        for (int signal = 1; signal < 32; ++signal)
            if (signal != SIGKILL && signal != SIGSTOP) ::sigaddset(&defaults, signal);
        ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
        int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        if (grouping == Grouping::own_group) flags |= POSIX_SPAWN_SETPGROUP;
#ifdef POSIX_SPAWN_SETSID
        if (grouping == Grouping::own_session) flags |= POSIX_SPAWN_SETSID;
#endif
        ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    }
    ~Attributes() {
        ::posix_spawnattr_destroy(&attributes_);
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    [[nodiscard]] const posix_spawnattr_t* get() const {
        return &attributes_;
    }

private:
    posix_spawnattr_t attributes_{};
};

/// A copy of `fd` above every number that the new program uses: so no dup2(2) there overwrites the source of another.
Result<UniqueFd> out_of_the_way(int fd) {
    if (fd < 0) return UniqueFd();
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (copy < 0) return std::unexpected(Error::from_errno("fcntl", errno, "a descriptor for a program"));
    return UniqueFd(copy);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    // posix_spawn(3) takes char* const* for history's sake and changes nothing.
    for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

}  // namespace

Result<pid_t> spawn_process(const Argv& argv, const std::vector<std::string>& environment,
                            const std::vector<int>& descriptors, Grouping grouping) {
    if (argv.empty()) return std::unexpected(Error::invalid("invalid_argv", "", "no program"));
    for (const auto* texts : {&argv, &environment})
        for (const auto& text : *texts)
            if (text.find('\0') != std::string::npos)
                return std::unexpected(
                    Error::invalid("invalid_argv", "", "an argument of " + argv[0] + " holds a NUL"));
    const auto path = resolve(argv[0]);
    if (!path) return std::unexpected(path.error());

    FileActions actions;
    std::vector<UniqueFd> held;
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        auto copy = out_of_the_way(descriptors[i]);
        if (!copy) return std::unexpected(copy.error());
        actions.put(copy->get(), static_cast<int>(i));
        held.push_back(*std::move(copy));
    }
    actions.close_from(static_cast<int>(descriptors.size()));
    if (actions.error() != 0) return std::unexpected(Error::from_errno("posix_spawn_file_actions", actions.error()));

    const std::vector<std::string> minimal{"PATH=" + std::string(kSystemPath)};
    const auto arguments = pointers(argv);
    const auto variables = pointers(environment.empty() ? minimal : environment);
    const Attributes attributes(grouping);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, path->c_str(), actions.get(), attributes.get(), arguments.data(), variables.data());
    if (error != 0) return std::unexpected(Error::from_errno("posix_spawn", error, *path));
    return pid;
}

Result<Detached> spawn(const Argv& argv, const SpawnOptions& options) {
    std::vector<int> descriptors{options.standard_input, options.standard_output, options.standard_error};
    if (options.pass) descriptors.push_back(*options.pass);
    const auto pid = spawn_process(argv, options.environment, descriptors,
                                   options.new_session ? Grouping::own_session : Grouping::callers);
    if (!pid) return std::unexpected(pid.error());
    return Detached{.pid = *pid};
}

}  // namespace jaild
