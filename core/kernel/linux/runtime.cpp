#include "core/kernel/linux/runtime.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "core/base/files.h"
#include "core/kernel/linux/runtime_record.h"

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRecordLimit = 1 << 20;
constexpr Milliseconds kStartTimeout{60'000};
constexpr Milliseconds kDeleteTimeout{30'000};
constexpr std::size_t kReasonLimit = 500;

/// What the runtime said last, on one line.
std::string last_line(const std::string& text) {
    const auto end = text.find_last_not_of(" \n\r\t");
    if (end == std::string::npos) return "it said nothing";
    const auto begin = text.rfind('\n', end);
    std::string line = text.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin + 1) + 1);
    if (line.size() > kReasonLimit) line.resize(kReasonLimit);
    return line;
}

/// False from early in a process' end on: it gives up its namespaces before it can be waited for. What enters them
/// (the hostname, an exec) fails from then on.
Result<bool> has_namespaces(std::int64_t pid, const ProcessHandle& process) {
    const std::string link = "/proc/" + std::to_string(pid) + "/ns/uts";
    std::error_code failed;
    if (!fs::read_symlink(link, failed).empty()) return true;
    const bool gone = failed == std::errc::no_such_file_or_directory || failed == std::errc::no_such_process;
    if (gone || process.wait(Deadline::min())) return false;
    return std::unexpected(Error::from_errno("readlink", failed.value(), link));
}

Result<bool> is_there(const fs::path& path) {
    std::error_code failed;
    const bool there = fs::exists(path, failed);
    if (failed) return std::unexpected(Error::from_errno("stat", failed.value(), path.string()));
    return there;
}

Result<Container> look(JailId id, const fs::path& directory) {
    Container container{.id = id};
    const auto text = files::read(directory / "state.json", kRecordLimit);
    if (!text && text.error().code == Errc::not_found) return container;
    if (!text) return std::unexpected(text.error());
    const auto record = parse_runtime_record(*text);
    if (!record) return container;
    container.first = {.pid = record->pid, .started = record->started};
    const auto process = ProcessHandle::open(container.first);
    if (!process) return std::unexpected(process.error());
    container.process = process->has_value();
    if (!container.process) return container;
    // runc removes this when it starts what it created; until then process 1 is runc itself, waiting.
    const auto waits = is_there(directory / "exec.fifo");
    if (!waits) return std::unexpected(waits.error());
    const auto inhabited = has_namespaces(record->pid, **process);
    if (!inhabited) return std::unexpected(inhabited.error());
    container.alive = !*waits && *inhabited;
    return container;
}

Error failed(std::string_view op, const Completed& done, const std::string& container) {
    return Error{.code = Errc::kernel,
                 .op = op,
                 .detail = "container " + container + ", exit code " + std::to_string(done.exit_code) + ": " +
                           last_line(done.error_output),
                 .reason = "runtime_failed"};
}

}  // namespace

Result<std::string> Runtime::program() {
    for (const char* path : {"/usr/bin/runc", "/usr/sbin/runc", "/usr/local/bin/runc", "/usr/local/sbin/runc"}) {
        if (::access(path, X_OK) == 0) return path;
    }
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "runc",
                                 .detail = "this host has no runc, which makes the jails on Linux",
                                 .reason = "runtime_missing",
                                 .remedy = "install it: apt-get install runc"});
}

Result<std::optional<Container>> Runtime::find(JailId id) const {
    const fs::path directory = layout_.runtime_state(id);
    const auto there = is_there(directory);
    if (!there) return std::unexpected(there.error());
    if (!*there) return std::nullopt;
    return look(id, directory);
}

Result<std::vector<Container>> Runtime::list() const {
    std::vector<Container> containers;
    std::error_code failed;
    for (fs::directory_iterator at(layout_.runtime_root(), failed), end; !failed && at != end; at.increment(failed)) {
        const auto id = parse_container_name(layout_.instance, at->path().filename().string());
        if (!id) continue;
        auto container = look(*id, at->path());
        if (!container) return std::unexpected(container.error());
        containers.push_back(*container);
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return std::unexpected(Error::from_errno("readdir", failed.value(), layout_.runtime_root().string()));
    return containers;
}

Result<void> Runtime::start(JailId id) const {
    const auto runc = program();
    if (!runc) return std::unexpected(runc.error());
    const fs::path bundle = layout_.bundle(id);
    const fs::path pid_file = bundle / "pid";
    const auto done = helper_(id,
                              {*runc, "--root", layout_.runtime_root().string(), "run", "--detach", "--bundle",
                               bundle.string(), "--pid-file", pid_file.string(), layout_.container(id)},
                              pid_file, kStartTimeout);
    if (!done) return std::unexpected(done.error());
    if (done->exit_code != 0) return std::unexpected(jaild::kernel::failed("runc run", *done, layout_.container(id)));
    return {};
}

Result<void> Runtime::remove(JailId id, Deadline deadline) const {
    const auto container = find(id);
    if (!container) return std::unexpected(container.error());
    if (!*container) return {};
    const auto process = ProcessHandle::open((*container)->first);
    if (!process) return std::unexpected(process.error());
    // First by ourselves: runc's delete --force looks ten times a second whether the process has gone.
    if (*process) {
        (*process)->kill(SIGKILL);
        if (!(*process)->wait(deadline))
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "remove",
                                         .detail = "process " + std::to_string((*container)->first.pid) +
                                                   " of the jail does not end, even by SIGKILL",
                                         .reason = "jail_busy"});
    }
    const std::string name = layout_.container(id);
    if (const auto runc = program()) {
        const auto done = run({*runc, "--root", layout_.runtime_root().string(), "delete", "--force", name},
                              {.timeout = kDeleteTimeout});
        if (!done) return std::unexpected(done.error());
        // What it says does not matter: it refuses records that it was killed over while writing. They go below.
    }
    const auto records = files::open_directory(layout_.runtime_root());
    if (!records) return records.error().sys == ENOENT ? Result<void>{} : std::unexpected(records.error());
    return files::remove_tree(records->get(), name);
}

}  // namespace jaild::kernel
