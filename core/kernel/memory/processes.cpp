#include "core/kernel/processes.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "core/kernel/memory/ports.h"
#include "core/kernel/memory/programs.h"
#include "core/kernel/names.h"

namespace jaild::kernel::memory {
namespace {

Error cannot_execute(const Program& program, std::string_view reason) {
    const auto name = program.argv.empty() ? std::string("an empty command") : program.argv.front();
    return Error{.code = Errc::invalid,
                 .op = "execve",
                 .sys = ENOENT,
                 .detail = name + " cannot be executed",
                 .reason = reason,
                 .field = "/argv/0"};
}

bool is_directory(const UniqueFd& descriptor) {
    struct stat status {};
    return descriptor && ::fstat(descriptor.get(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

Result<std::vector<ObservedShim>> MemoryProcesses::list(Scope scope) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.list"); !met) return std::unexpected(met.error());
    std::vector<ObservedShim> listed;
    for (const auto& [id, directory] : world_.state.directories) {
        const auto& shim = directory.shim;
        if (!world_.owns(id, scope) || !shim.known) continue;
        listed.push_back({.id = id,
                          .alive = shim.alive,
                          .pid = shim.alive ? shim.pid : 0,
                          .command = shim.command,
                          .command_pid = shim.alive ? shim.command_pid : 0,
                          .last_exit = shim.last_exit,
                          .start_done = shim.start_done,
                          .hooks_done = shim.hooks_done});
    }
    return listed;
}

Result<void> MemoryProcesses::hold(JailId id) {
    std::lock_guard lock(world_.mutex);
    auto& faults = world_.faults;
    if (auto met = faults.at("processes.hold"); !met) return met;
    auto* held = world_.directory(id);
    if (!held) return std::unexpected(Error::from_errno("open", ENOENT, "the jail has no directory"));
    auto& shim = held->shim;
    if (shim.alive) return {};
    if (shim.command == CommandState::running) {
        auto recorded = faults.step("processes.hold.record_lost", [&]() -> Result<void> {
            world_.end_command(id, *held, 128 + SIGKILL, SIGKILL, "lost");
            return {};
        });
        if (!recorded) return recorded;
    }
    return faults.step("processes.hold.start", [&]() -> Result<void> {
        shim.known = true;
        shim.hooks_done.clear();
        shim.alive = true;
        shim.pid = ++world_.state.last_pid;
        return {};
    });
}

Result<void> MemoryProcesses::reset(JailId id) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("processes.reset", [&]() -> Result<void> {
        auto* held = world_.directory(id);
        if (!held) return {};
        auto& shim = held->shim;
        if (shim.alive && shim.command == CommandState::running) {
            world_.violate(fmt::format("the command of jail {} is forgotten while it runs", id.value));
            return std::unexpected(Error::from_errno("reset", EBUSY, "its command runs"));
        }
        shim.command = CommandState::none;
        shim.command_pid = 0;
        shim.all = false;
        shim.start_done = false;
        shim.hooks_done.clear();
        return {};
    });
}

Result<Directory*> MemoryProcesses::runnable(JailId id, std::string_view op) {
    auto* held = world_.directory(id);
    auto* prison = world_.prison(id);
    if (!held || !held->shim.alive)
        return std::unexpected(Error::from_errno(op, ECONNREFUSED, "no shim holds this jail"));
    if (!prison || prison->life != JailLife::alive) {
        return std::unexpected(Error::from_errno(op, ESRCH, "the jail is not there"));
    }
    return held;
}

/// Before anything of the user's runs, his jail is as he asked for.
void MemoryProcesses::check_configured(JailId id, std::string_view what) {
    const auto* prison = world_.prison(id);
    if (!prison || prison->mode != model::NetworkMode::vnet) return;
    const auto pairs = world_.pairs_in(prison->jid);
    const auto configured = [](const Pair* pair) {
        const bool addressed = !pair->addresses.empty() || pair->slaac != Learns::nothing || pair->client;
        return pair->taken_out && pair->jail_up && addressed && pair->bridge != NetworkId{};
    };
    if (pairs.empty() || !std::ranges::all_of(pairs, configured)) {
        world_.violate(fmt::format("{} of jail {} before its network is configured", what, id.value));
    }
}

Result<void> MemoryProcesses::start_command(JailId id, const Program& program) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.start_command"); !met) return met;
    auto held = runnable(id, "start_command");
    if (!held) return std::unexpected(held.error());
    auto& shim = (*held)->shim;
    if (shim.command == CommandState::running) return {};
    if (shim.command == CommandState::exited) {
        world_.violate(fmt::format("the command of jail {} is started again in the same incarnation", id.value));
    }
    check_configured(id, "start_command");
    const auto ending = outcome(program);
    return world_.faults.step("processes.start_command.execute", [&]() -> Result<void> {
        if (ending.behaviour == Behaviour::missing) {
            world_.end_command(id, **held, 127, 0, "failed_to_start");
            return std::unexpected(cannot_execute(program, "command_failed"));
        }
        ++shim.commands_started;
        if (ending.behaviour == Behaviour::ends) {
            (*held)->log += ending.output;
            world_.end_command(id, **held, ending.exit_code, 0, "exited");
            return {};
        }
        shim.command = CommandState::running;
        shim.command_began = world_.options.clock->monotonic();
        shim.command_pid = ++world_.state.last_pid;
        return {};
    });
}

Result<void> MemoryProcesses::watch_all(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.watch_all"); !met) return met;
    auto held = runnable(id, "watch_all");
    if (!held) return std::unexpected(held.error());
    auto& shim = (*held)->shim;
    if (shim.command == CommandState::running) return {};
    if (shim.command == CommandState::exited)
        world_.violate(fmt::format("jail {} is watched again in the same incarnation", id.value));
    return world_.faults.step("processes.watch_all.begin", [&]() -> Result<void> {
        shim.command = CommandState::running;
        shim.command_began = world_.options.clock->monotonic();
        shim.command_pid = 0;
        shim.all = true;
        return {};
    });
}

Result<void> MemoryProcesses::stop_command(JailId id, Milliseconds) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("processes.stop_command", [&]() -> Result<void> {
        auto* held = world_.directory(id);
        if (!held || held->shim.command != CommandState::running) return {};
        if (held->shim.alive)
            world_.stop_command(id, *held, SIGTERM);
        else
            world_.end_command(id, *held, 128 + SIGKILL, SIGKILL, "lost");
        return {};
    });
}

Result<void> MemoryProcesses::run(JailId id, const Program& program, Milliseconds, bool marks_start) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.run"); !met) return met;
    auto held = runnable(id, "run");
    if (!held) return std::unexpected(held.error());
    auto& shim = (*held)->shim;
    if (marks_start) {
        if (shim.start_done) world_.violate(fmt::format("exec.start of jail {} runs twice", id.value));
        if (shim.command != CommandState::none) {
            world_.violate(fmt::format("exec.start of jail {} runs after its command", id.value));
        }
        check_configured(id, "exec.start");
    }
    const auto ending = outcome(program);
    return world_.faults.step("processes.run.execute", [&]() -> Result<void> {
        if (ending.behaviour == Behaviour::missing) return std::unexpected(cannot_execute(program, "start_failed"));
        if (ending.behaviour == Behaviour::waits || ending.behaviour == Behaviour::copies_input) {
            return std::unexpected(
                Error{.code = Errc::busy, .op = "run", .detail = "not done in time, killed", .reason = "timeout"});
        }
        (*held)->log += ending.output;
        if (ending.exit_code != 0) {
            return std::unexpected(Error{.code = Errc::kernel,
                                         .op = "run",
                                         .detail = fmt::format("it ended with exit code {}", ending.exit_code),
                                         .reason = "start_failed"});
        }
        if (marks_start) shim.start_done = true;
        return {};
    });
}

/// Each at its place in the jail's life, and no life without the end of the one before. Those of this kernel come
/// together: a jail that has one has prestart and poststop.
Result<void> MemoryProcesses::check_hook(JailId id, const Directory& held, model::Hook hook) {
    const auto& begun = held.hooks_begun;
    const auto* prison = world_.prison(id);
    const bool lives = prison && prison->life == JailLife::alive;
    const auto violate = [&](std::string_view why) {
        world_.violate(fmt::format("{} of jail {} {}", model::to_string(hook), id.value, why));
    };
    const bool around = hook == model::Hook::prestart || hook == model::Hook::poststop;
    if (around && prison) violate("while it is there");
    if (!around && !lives) return std::unexpected(Error::from_errno("hook", ESRCH, "the jail is not there"));
    if (hook == model::Hook::prestart && begun.size() > begun.count(model::Hook::prestart))
        violate("without poststop of the life before");
    if (hook == model::Hook::created && held.shim.start_done) violate("after exec.start");
    if (hook == model::Hook::created && held.shim.command != CommandState::none) violate("after its command");
    if (model::is_of_start(hook) && held.shim.hooks_done.contains(hook)) violate("once more in the same life");
    return {};
}

Result<void> MemoryProcesses::run_hook(JailId id, model::Hook hook, const HostProgram& program, Milliseconds) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.run_hook"); !met) return met;
    auto* held = world_.directory(id);
    if (!held || !held->shim.alive)
        return std::unexpected(Error::from_errno("hook", ECONNREFUSED, "no shim holds this jail"));
    if (auto fits = check_hook(id, *held, hook); !fits) return fits;
    const auto name = program.argv.front();
    const auto ending = outcome({.argv = program.argv, .environment = program.environment});
    return world_.faults.step("processes.run_hook.execute", [&]() -> Result<void> {
        held->hooks_begun.insert(hook);
        if (hook == model::Hook::poststop) held->hooks_begun.clear();
        if (ending.behaviour == Behaviour::missing)
            return std::unexpected(Error{.code = Errc::invalid,
                                         .op = "hook",
                                         .detail = name + " cannot be executed on the host",
                                         .reason = kHookNotExecuted});
        if (ending.behaviour == Behaviour::waits || ending.behaviour == Behaviour::copies_input)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "hook",
                                         .detail = name + " was not done in time, killed",
                                         .reason = kHookTimedOut});
        held->log += ending.output;
        if (ending.exit_code != 0)
            return std::unexpected(Error{.code = Errc::kernel,
                                         .op = "hook",
                                         .detail = fmt::format("{} ended with exit code {}", name, ending.exit_code),
                                         .reason = kHookFailed});
        if (model::is_of_start(hook)) held->shim.hooks_done.insert(hook);
        return {};
    });
}

Result<std::unique_ptr<RunningProgram>> MemoryProcesses::exec(JailId id, const Program& program, Stdio stdio) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.exec"); !met) return std::unexpected(met.error());
    if (auto held = runnable(id, "exec"); !held) return std::unexpected(held.error());
    if (program.user != "root" && program.user != "0" && program.user != "nobody") {
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "getpwnam",
                                     .detail = "the jail has no user " + program.user,
                                     .reason = "user_not_found"});
    }
    if (program.directory.starts_with("/missing")) {
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "chdir",
                                     .sys = ENOENT,
                                     .detail = program.directory,
                                     .reason = "directory_not_found"});
    }
    auto ending = outcome(program);
    if (ending.behaviour == Behaviour::missing || ending.behaviour == Behaviour::unknown) {
        return std::unexpected(cannot_execute(program, "program_not_found"));
    }
    // All descriptors are closed before it attaches, but these three stay with the program.
    for (const auto* stream : {&stdio.input, &stdio.output, &stdio.error_output})
        if (is_directory(*stream))
            return std::unexpected(Error::from_errno("jail_attach", EPERM, "a directory is open"));
    return play(std::move(ending), std::move(stdio), program.terminal);
}

Result<UniqueFd> MemoryProcesses::open_log(JailId id) {
    std::string content;
    {
        std::lock_guard lock(world_.mutex);
        if (auto met = world_.faults.at("processes.open_log"); !met) return std::unexpected(met.error());
        if (auto* held = world_.directory(id)) content = held->log;
    }
    return readable_copy(content);
}

Result<void> MemoryProcesses::release(JailId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("processes.release"); !met) return met;
    auto* held = world_.directory(id);
    if (!held) return {};
    if (held->shim.alive) {
        if (auto* prison = world_.prison(id); prison && prison->life == JailLife::alive) {
            world_.violate(fmt::format("jail {} lives and loses its shim", id.value));
        }
    }
    if (held->shim.command == CommandState::running) {
        auto ended = world_.faults.step("processes.release.end_command", [&]() -> Result<void> {
            const bool lost = !held->shim.alive;
            world_.end_command(id, *held, 128 + SIGKILL, SIGKILL, lost ? "lost" : "signaled");
            return {};
        });
        if (!ended) return ended;
    }
    return world_.faults.step("processes.release.end", [&]() -> Result<void> {
        held->shim.alive = false;
        held->shim.pid = 0;
        return {};
    });
}

}  // namespace jaild::kernel::memory
