#pragma once

#include <functional>
#include <string_view>

#include "core/kernel/memory/memory_kernel.h"

/// The model of a kernel, with a test between it and its caller.
namespace jaild::test {

/// Called before some calls, by their caller's thread and without any lock: it may wait, throw, call the kernel or the
/// reconciler. An Error is what the call returns then.
using Hook = std::function<Result<void>(std::string_view call, JailId id)>;

class HookedRoots final : public kernel::Roots {
public:
    HookedRoots(kernel::Roots& inner, const Hook& hook) : inner_(inner), hook_(hook) {}

    Result<std::vector<JailId>> list() override { return inner_.list(); }
    Result<bool> prepared(JailId id) override {
        if (auto passed = met("roots.prepared", id); !passed) return std::unexpected(passed.error());
        return inner_.prepared(id);
    }
    Result<void> check(const model::RootSpec& root, const std::string& template_name) override {
        return inner_.check(root, template_name);
    }
    [[nodiscard]] Result<void> check_clone(TemplateId of) const override { return inner_.check_clone(of); }
    [[nodiscard]] Result<void> check_storage(JailId id, const model::Storage& storage) override {
        return inner_.check_storage(id, storage);
    }
    Result<std::vector<kernel::ObservedStorage>> storage(const std::vector<JailId>& jails) override {
        return inner_.storage(jails);
    }
    Result<void> set_storage(JailId id, const model::Storage& storage) override {
        return inner_.set_storage(id, storage);
    }
    Result<void> prepare(const kernel::RootParameters& parameters) override { return inner_.prepare(parameters); }
    Result<void> refresh(const kernel::RootParameters& parameters) override { return inner_.refresh(parameters); }
    Result<void> write_hosts(const kernel::RootParameters& parameters) override {
        if (auto passed = met("roots.write_hosts", parameters.id); !passed) return passed;
        return inner_.write_hosts(parameters);
    }
    Result<std::vector<kernel::Mount>> mounts(const kernel::RootParameters& parameters) override {
        if (auto passed = met("roots.mounts", parameters.id); !passed) return std::unexpected(passed.error());
        return inner_.mounts(parameters);
    }
    Result<void> remove(JailId id) override { return inner_.remove(id); }

private:
    Result<void> met(std::string_view call, JailId id) const { return hook_ ? hook_(call, id) : Result<void>{}; }

    kernel::Roots& inner_;
    const Hook& hook_;
};

class HookedProcesses final : public kernel::Processes {
public:
    HookedProcesses(kernel::Processes& inner, const Hook& hook) : inner_(inner), hook_(hook) {}

    Result<std::vector<kernel::ObservedShim>> list(kernel::Scope scope) override { return inner_.list(scope); }
    Result<void> hold(JailId id) override { return inner_.hold(id); }
    Result<void> reset(JailId id) override { return inner_.reset(id); }
    Result<void> start_command(JailId id, const kernel::Program& program) override {
        return inner_.start_command(id, program);
    }
    Result<void> watch_all(JailId id) override { return inner_.watch_all(id); }
    Result<void> stop_command(JailId id, Milliseconds grace) override { return inner_.stop_command(id, grace); }
    Result<void> run(JailId id, const kernel::Program& program, Milliseconds timeout, bool marks_start) override {
        if (auto passed = hook_ ? hook_("processes.run", id) : Result<void>{}; !passed) return passed;
        return inner_.run(id, program, timeout, marks_start);
    }
    Result<void> run_hook(JailId id, model::Hook hook, const kernel::HostProgram& program,
                          Milliseconds timeout) override {
        if (auto passed = hook_ ? hook_("processes.run_hook", id) : Result<void>{}; !passed) return passed;
        return inner_.run_hook(id, hook, program, timeout);
    }
    void interrupt(JailId id) override {
        if (hook_) (void)hook_("processes.interrupt", id);
    }
    Result<std::unique_ptr<kernel::RunningProgram>> exec(JailId id, const kernel::Program& program,
                                                         kernel::Stdio stdio) override {
        return inner_.exec(id, program, std::move(stdio));
    }
    Result<UniqueFd> open_log(JailId id) override { return inner_.open_log(id); }
    Result<void> release(JailId id) override { return inner_.release(id); }

private:
    kernel::Processes& inner_;
    const Hook& hook_;
};

class HookedMounts final : public kernel::Mounts {
public:
    HookedMounts(kernel::Mounts& inner, const Hook& hook) : inner_(inner), hook_(hook) {}

    Result<std::vector<kernel::ObservedMount>> list(kernel::Scope scope) override { return inner_.list(scope); }
    Result<void> mount(JailId id, const kernel::Mount& mount) override {
        if (auto passed = hook_ ? hook_("mounts.mount", id) : Result<void>{}; !passed) return passed;
        return inner_.mount(id, mount);
    }
    Result<void> check(const kernel::Mount& mount) override { return inner_.check(mount); }
    [[nodiscard]] bool lists(const std::string& source) const override { return inner_.lists(source); }
    Result<void> unmount(JailId id, const std::string& target) override {
        if (auto passed = hook_ ? hook_("mounts.unmount", id) : Result<void>{}; !passed) return passed;
        return inner_.unmount(id, target);
    }

private:
    kernel::Mounts& inner_;
    const Hook& hook_;
};

class HookedJails final : public kernel::Jails {
public:
    HookedJails(kernel::Jails& inner, const Hook& hook) : inner_(inner), hook_(hook) {}

    Result<std::vector<kernel::ObservedJail>> list(kernel::Scope scope) override { return inner_.list(scope); }
    Result<void> check_name(const model::Name& name, JailId id) override { return inner_.check_name(name, id); }
    Result<void> check(const model::JailSpec& spec) override { return inner_.check(spec); }
    Result<model::Parameters> parameters(JailId id, const std::vector<std::string>& names) override {
        return inner_.parameters(id, names);
    }
    Result<void> create(const kernel::JailParameters& parameters) override {
        if (auto passed = hook_ ? hook_("jails.create", parameters.id) : Result<void>{}; !passed) return passed;
        return inner_.create(parameters);
    }
    Result<void> update(const kernel::JailParameters& parameters) override { return inner_.update(parameters); }
    Result<void> remove(JailId id) override {
        if (auto passed = hook_ ? hook_("jails.remove", id) : Result<void>{}; !passed) return passed;
        return inner_.remove(id);
    }
    Result<kernel::Applied> applied(JailId id) override { return inner_.applied(id); }
    Result<void> record(JailId id, const kernel::Applied& applied) override { return inner_.record(id, applied); }

private:
    kernel::Jails& inner_;
    const Hook& hook_;
};

class HookedKernel final : public kernel::MemoryKernel {
public:
    using MemoryKernel::MemoryKernel;

    kernel::Roots& roots() override { return roots_; }
    kernel::Processes& processes() override { return processes_; }
    kernel::Mounts& mounts() override { return mounts_; }
    kernel::Jails& jails() override { return jails_; }

    Hook hook;  ///< called where met() or it is named above

private:
    HookedRoots roots_{MemoryKernel::roots(), hook};
    HookedProcesses processes_{MemoryKernel::processes(), hook};
    HookedMounts mounts_{MemoryKernel::mounts(), hook};
    HookedJails jails_{MemoryKernel::jails(), hook};
};

}  // namespace jaild::test
