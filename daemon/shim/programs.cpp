#include "daemon/shim/programs.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <vector>

#include "core/base/exit_watch.h"
#include "core/base/files.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "daemon/shim/platform.h"

namespace jaild::shim {
namespace {

constexpr const char* kFile = "programs";
constexpr std::chrono::seconds kAttachTimeout{30};
constexpr std::chrono::seconds kDyingTimeout{5};
constexpr std::size_t kHelperLog = 16 * 1024;  ///< of its end, for the daemon to explain

std::string tail_of(const UniqueFd& file) {
    const auto size = ::lseek(file.get(), 0, SEEK_END);
    const auto from = size > static_cast<off_t>(kHelperLog) ? size - static_cast<off_t>(kHelperLog) : 0;
    std::string text(static_cast<std::size_t>(std::max<off_t>(size - from, 0)), '\0');
    const auto got = ::pread(file.get(), text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

Refused as_refused(const Error& error) {
    return {.stage = Stage::execute, .code = error.sys, .text = error.to_string()};
}

/// Until all are readable; one that the kernel does not let die is not waited for any longer than this.
void wait_for(const std::vector<ExitWatch>& processes) {
    const auto until = std::chrono::steady_clock::now() + kDyingTimeout;
    for (const auto& process : processes) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd one{.fd = process.descriptor(), .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&one, 1, static_cast<int>(left.count())) <= 0) return;
    }
}

}  // namespace

Programs::Programs(Loop& loop, Children& children, int directory)
    : loop_(loop), children_(children), directory_(directory) {
    if (const auto boot = boot_id()) boot_line_ = "boot " + *boot + "\n";
}

Programs::Id Programs::launch(Launch launch, Stdio stdio, ProgramEvents events, ControllingTerminal terminal) {
    const Id id = ++last_;
    auto& program = programs_[id];
    program.events = std::move(events);
    program.launch = std::move(launch);
    const auto begun = program.launch.mode == LaunchMode::helper ? begin_helper(id, program, stdio)
                                                                 : begin_child(id, program, stdio, terminal);
    if (!begun) {
        loop_.after(std::chrono::milliseconds{0},
                    [this, id, refused = as_refused(begun.error())] { refuse(id, refused); });
        return id;
    }
    program.deadline = loop_.after(kAttachTimeout, [this, id] { too_late(id); });
    return id;
}

Result<void> Programs::begin_helper(Id id, Program& program, const Stdio& stdio) {
    const auto document = platform::anonymous_file(std::exchange(program.launch.document, {}));
    if (!document) return std::unexpected(document.error());
    auto log = platform::anonymous_file({});
    if (!log) return std::unexpected(log.error());
    auto child =
        fork_child({.argv = program.launch.argv,
                    .environment = program.launch.environment,
                    .descriptors = {stdio[0].get(), stdio[1].get(), stdio[2].get(), document->get(), log->get()}});
    if (!child) return std::unexpected(child.error());
    program.child = child->pid;
    program.failure = std::move(child->failure);
    program.helper_log = *std::move(log);
    children_.expect_stranger();
    children_.add(child->pid, [this, id](const ChildExit& exit) { helper_ended(id, exit); });
    return {};
}

Result<void> Programs::begin_child(Id id, Program& program, const Stdio& stdio, ControllingTerminal terminal) {
    auto child = fork_child({.argv = program.launch.argv,
                             .environment = program.launch.environment,
                             .descriptors = {stdio[0].get(), stdio[1].get(), stdio[2].get()},
                             .enter = program.launch.mode == LaunchMode::jail ? &program.launch : nullptr,
                             .terminal = terminal});
    if (!child) return std::unexpected(child.error());
    program.child = child->pid;
    program.failure = std::move(child->failure);
    loop_.watch(program.failure.get(), POLLIN, [this, id](short) { child_reported(id); });
    children_.add(child->pid, [this, id](const ChildExit& exit) {
        child_reported(id);  // if its end is seen before its report
        ended(id, exit);
    });
    return {};
}

void Programs::helper_ended(Id id, const ChildExit& exit) {
    const auto found = programs_.find(id);
    if (found == programs_.end()) return;
    auto& program = found->second;
    program.child = 0;
    const auto pid = take_pid_file(program.launch.pid_file);
    children_.end_expecting();
    if (const auto failure = read_failure(program.failure))
        return refuse(id, {.stage = failure->stage, .code = failure->code, .text = failure->text});
    if (program.late) return refuse(id, {.stage = Stage::timeout, .text = tail_of(program.helper_log)});
    if (exit.exit_code != 0) {
        strays_ = true;
        return refuse(id, {.stage = Stage::helper, .code = exit.exit_code, .text = tail_of(program.helper_log)});
    }
    if (!Children::is_child(pid) || children_.knows(pid)) {
        strays_ = true;
        return refuse(id,
                      {.stage = Stage::helper, .text = "it left no program behind: " + tail_of(program.helper_log)});
    }
    children_.add(pid, [this, id](const ChildExit& end) { ended(id, end); });
    started(id, pid);
}

void Programs::child_reported(Id id) {
    const auto found = programs_.find(id);
    if (found == programs_.end() || !found->second.failure || found->second.pid != 0) return;
    loop_.forget(found->second.failure.get());
    const auto failure = read_failure(found->second.failure);
    const auto pid = found->second.child;
    if (failure) return refuse(id, {.stage = failure->stage, .code = failure->code, .text = failure->text});
    if (found->second.late) return refuse(id, {.stage = Stage::timeout, .code = 0, .text = {}});
    started(id, pid);
}

void Programs::started(Id id, pid_t pid) {
    auto& program = programs_.at(id);
    loop_.cancel(program.deadline);
    program.failure.reset();
    program.helper_log.reset();
    program.pid = pid;
    program.start = start_time(pid).value_or(std::nullopt).value_or(0);
    write_down();
    if (program.doomed) platform::signal_session(pid, SIGKILL);
    const auto tell = program.events.started;  // the owner may kill it within
    tell(pid);
}

void Programs::refuse(Id id, Refused refused) {
    const auto found = programs_.find(id);
    if (found == programs_.end()) return;
    loop_.cancel(found->second.deadline);
    const auto events = std::move(found->second.events);
    programs_.erase(found);
    events.refused(refused);
}

void Programs::ended(Id id, const ChildExit& exit) {
    const auto found = programs_.find(id);
    if (found == programs_.end()) return;
    // Not waited for yet: its number still means its session and nothing else.
    if (found->second.swept) platform::signal_session(found->second.pid, SIGKILL);
    const auto events = std::move(found->second.events);
    programs_.erase(found);
    write_down();
    events.ended(exit);
}

void Programs::too_late(Id id) {
    const auto found = programs_.find(id);
    if (found == programs_.end() || found->second.pid != 0) return;
    found->second.late = true;
    strays_ = true;
    platform::signal_session(found->second.child, SIGKILL);  // its end brings the refusal
}

void Programs::signal(Id id, int number) {
    const auto found = programs_.find(id);
    if (found != programs_.end() && found->second.pid != 0) platform::signal_session(found->second.pid, number);
}

void Programs::terminate(Id id) {
    const auto found = programs_.find(id);
    if (found == programs_.end()) return;
    found->second.swept = true;
    if (found->second.pid == 0) return kill(id);
    ::kill(found->second.pid, SIGTERM);
}

void Programs::kill(Id id) {
    const auto found = programs_.find(id);
    if (found == programs_.end()) return;
    found->second.doomed = true;
    found->second.swept = true;
    if (found->second.pid != 0) platform::signal_session(found->second.pid, SIGKILL);
}

void Programs::kill_all_but(Id spared) {
    for (const auto& [id, program] : programs_)
        if (id != spared) kill(id);
}

void Programs::sweep() {
    if (!strays_ || children_.expecting()) return;
    strays_ = false;
    for (const auto pid : platform::strays([this](pid_t child) { return children_.knows(child); }))
        platform::signal_session(pid, SIGKILL);
}

pid_t Programs::take_pid_file(const std::string& name) const {
    const auto text = files::read(directory_, name, 32);
    ::unlinkat(directory_, name.c_str(), 0);
    pid_t pid = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc{}) return 0;
    return pid;
}

void Programs::write_down() const {
    std::string text = boot_line_;
    for (const auto& [id, program] : programs_)
        if (program.pid != 0) text += std::to_string(program.pid) + " " + std::to_string(program.start) + "\n";
    // No fsync(2): after a crash of the machine nobody is left to be killed.
    if (!file_ || ::pwrite(file_.get(), text.data(), text.size(), 0) < 0) return;
    [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(text.size()));
}

void Programs::kill_left_behind() {
    if (auto file = files::open_beneath(directory_, kFile, O_RDWR | O_CREAT, 0600)) file_ = *std::move(file);
    auto text = files::read(directory_, kFile, 64 * 1024).value_or(std::string());
    // After a boot, pids and start times name strangers; the same without it, as older shims wrote.
    if (boot_line_.empty() || !text.starts_with(boot_line_)) text.clear();
    std::vector<ExitWatch> dying;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        long long pid = 0;
        long long start = 0;
        if (std::sscanf(text.substr(begin, end - begin).c_str(), "%lld %lld", &pid, &start) == 2) {
            auto watched = ExitWatch::create(static_cast<pid_t>(pid));
            if (platform::signal_stranger(static_cast<pid_t>(pid), start, SIGKILL) && watched)
                dying.push_back(*std::move(watched));
        }
        begin = end + 1;
    }
    wait_for(dying);
    write_down();
}

}  // namespace jaild::shim
