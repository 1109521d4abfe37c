#include "core/kernel/shim/shim_processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/lock_file.h"
#include "core/kernel/shim/protocol/log_format.h"
#include "core/kernel/shim/protocol/paths.h"
#include "core/kernel/shim/protocol/state_file.h"

namespace jaild::kernel {
namespace {

CommandState command_state(shim::CommandState state) {
    switch (state) {
        case shim::CommandState::running:
            return CommandState::running;
        case shim::CommandState::exited:
            return CommandState::exited;
        case shim::CommandState::none:
            break;
    }
    return CommandState::none;
}

ObservedShim observed(JailId id, const shim::ShimState& state) {
    ObservedShim result{.id = id,
                        .command = command_state(state.command),
                        .command_pid = state.command_pid,
                        .start_done = state.start_done};
    for (const auto hook : model::kHooks)
        if ((state.hooks_done & (1U << static_cast<unsigned>(hook))) != 0) result.hooks_done.insert(hook);
    if (state.last_exit)
        result.last_exit = model::LastExit{.exit_code = static_cast<int>(state.last_exit->exit_code),
                                           .signal = static_cast<int>(state.last_exit->signal),
                                           .reason = state.last_exit->reason,
                                           .at = UtcTime{state.last_exit->at_ms},
                                           .ran = Milliseconds{state.last_exit->ran_ms}};
    return result;
}

}  // namespace

ShimProcesses::ShimProcesses(Options options, Attacher& attacher, UniqueFd state, UniqueFd watch_state)
    : options_(std::move(options)), attacher_(attacher), state_(std::move(state)), watch_(std::move(watch_state)) {}

ShimProcesses::~ShimProcesses() = default;

Result<std::unique_ptr<ShimProcesses>> ShimProcesses::create(const Options& options, Attacher& attacher) {
    auto state = files::open_directory(options.state_directory);
    auto again = files::open_directory(options.state_directory);
    if (!state || !again) return std::unexpected(state ? again.error() : state.error());
    return std::unique_ptr<ShimProcesses>(new ShimProcesses(options, attacher, *std::move(state), *std::move(again)));
}

Result<UniqueFd> ShimProcesses::directory(JailId id) const {
    return files::open_beneath(state_.get(), shim::directory_of(id), O_RDONLY | O_DIRECTORY);
}

Result<Connection> ShimProcesses::connect(JailId id) const {
    const auto held = directory(id);
    if (!held) return std::unexpected(held.error());
    return Connection::open(held->get());
}

Result<std::vector<JailId>> ShimProcesses::ids() const {
    std::vector<JailId> found;
    auto jails = files::open_beneath(state_.get(), "jails", O_RDONLY | O_DIRECTORY);
    if (!jails && jails.error().code == Errc::not_found) return found;
    if (!jails) return std::unexpected(jails.error());
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(jails->release()), ::closedir);
    if (!directory) return std::unexpected(Error::from_errno("fdopendir", errno, "jails"));
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        std::int64_t id = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
        if (error == std::errc{} && end == name.data() + name.size() && id > 0) found.push_back(JailId{id});
    }
    return found;
}

Result<std::optional<ObservedShim>> ShimProcesses::look(JailId id) const {
    const auto held = directory(id);
    if (!held && held.error().code == Errc::not_found) return std::nullopt;
    if (!held) return std::unexpected(held.error());
    const auto holder = shim::holder_of(held->get());
    if (!holder) return std::unexpected(holder.error());
    const auto state = shim::read_state(held->get());
    // No state file, or what is none, is as one that was never written: the shim says so in the log and begins anew.
    if (!state && state.error().code != Errc::not_found && state.error().sys != 0)
        return std::unexpected(state.error());
    auto result = observed(id, state.value_or(shim::ShimState{}));
    result.alive = holder->has_value();
    result.pid = *holder ? (*holder)->pid : 0;
    return result;
}

Result<std::vector<ObservedShim>> ShimProcesses::list(Scope scope) {
    wait_for_children();
    auto asked = scope ? Result<std::vector<JailId>>(std::vector{*scope}) : ids();
    if (!asked) return std::unexpected(asked.error());
    std::vector<ObservedShim> result;
    for (const auto id : *asked) {
        auto one = look(id);
        if (!one) return std::unexpected(one.error());
        if (*one) result.push_back(**std::move(one));
    }
    return result;
}

Result<UniqueFd> ShimProcesses::open_log(JailId id) {
    const auto held = directory(id);
    if (!held) return std::unexpected(held.error());
    return files::open_beneath(held->get(), shim::kLogName, O_RDONLY | O_NONBLOCK);
}

Result<void> ShimProcesses::watch(std::function<void(JailId)> on_change) {
    const auto all = ids();
    if (!all) return std::unexpected(all.error());
    for (const auto id : *all) watch_.add(id);
    return watch_.start(std::move(on_change));
}

std::set<pid_t> ShimProcesses::wait_for_children() {
    const std::lock_guard lock(mutex_);
    std::erase_if(children_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
    return children_;
}

}  // namespace jaild::kernel
