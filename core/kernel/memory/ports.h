#pragma once

#include <chrono>

#include "core/kernel/memory/world.h"
#include "core/kernel/network_fields.h"

/// The ports over one World. Each call takes its mutex; see world.h.
namespace jaild::kernel::memory {

class MemoryJails : public Jails {
public:
    explicit MemoryJails(World& world) : world_(world) {}
    Result<std::vector<ObservedJail>> list(Scope scope) override;
    Result<void> check_name(const model::Name& name, JailId id) override;
    Result<void> check(const model::JailSpec& spec) override;
    Result<model::Parameters> parameters(JailId id, const std::vector<std::string>& names) override;
    Result<void> create(const JailParameters& parameters) override;
    Result<void> update(const JailParameters& parameters) override;
    Result<void> remove(JailId id) override;
    Result<Applied> applied(JailId id) override;
    Result<void> record(JailId id, const Applied& applied) override;

private:
    Result<void> check_prerequisites(const JailParameters& parameters);
    void check_addresses(JailId id, const freebsd::Parameters& chosen);
    void check_limits(const JailParameters& parameters);
    World& world_;
};

class MemoryLinks : public Links {
public:
    explicit MemoryLinks(World& world) : world_(world) {}
    Result<std::vector<ObservedLink>> list(Scope scope) override;
    Result<void> ensure(const LinkParameters& parameters) override;
    Result<void> destroy(LinkId id) override;
    Result<std::vector<ObservedAlias>> aliases(JailId jail) override;
    Result<void> ensure_alias(JailId jail, const Alias& alias) override;
    Result<void> remove_alias(JailId jail, const Alias& alias) override;
    Result<void> check_alias(const Alias& alias, const std::vector<JailId>& jails) override;
    Result<std::vector<ObservedBridge>> bridges() override;
    Result<void> ensure_bridge(const model::Network& network) override;
    Result<void> remove_bridge(NetworkId network) override;
    Result<void> check(const model::Network& network) override;
    Result<std::vector<Prefix>> addresses(const std::string& interface) override;
    Result<void> check(const model::NetworkSpec& spec) override;
    Result<std::vector<Prefix>> used_prefixes() override;
    Result<bool> forwarding(Family family) override;
    Result<void> enable_forwarding(Family family) override;

private:
    Result<void> make_pair(const LinkParameters& parameters, std::int64_t jid);
    Result<void> take_out(Pair& pair);
    Result<void> join_bridge(Pair& pair, const LinkParameters& parameters);
    Result<void> become_member(Pair& pair, const LinkParameters& parameters);
    Result<void> join_host_bridge(Pair& pair, const std::string& bridge);
    [[nodiscard]] std::optional<HostInterface> host_interface(const std::string& name) const;
    Result<void> configure(Pair& pair, const LinkParameters& parameters);
    Result<void> set_addresses(Pair& pair, const LinkParameters& parameters);
    Result<void> set_gateways(Pair& pair, const LinkParameters& parameters);
    Result<void> set_client(Pair& pair, const LinkParameters& parameters);
    Result<void> make_bridge(const model::Network& network);
    Result<void> ensure_uplink(Bridge& bridge, const model::Network& network);
    [[nodiscard]] FindInterface find_interface() const;
    Bridge* bridge_of(NetworkId network);
    [[nodiscard]] std::size_t members(NetworkId network) const;
    World& world_;
};

class MemoryMounts : public Mounts {
public:
    explicit MemoryMounts(World& world) : world_(world) {}
    Result<std::vector<ObservedMount>> list(Scope scope) override;
    Result<void> mount(JailId id, const Mount& mount) override;
    Result<void> check(const Mount& mount) override;
    [[nodiscard]] bool lists(const std::string& source) const override;
    Result<void> unmount(JailId id, const std::string& target) override;

private:
    World& world_;
};

class MemoryRoots : public Roots {
public:
    explicit MemoryRoots(World& world) : world_(world) {}
    Result<std::vector<JailId>> list() override;
    Result<bool> prepared(JailId id) override;
    Result<void> check(const model::RootSpec& root, const std::string& template_name) override;
    /// Of every template, when it is made with a ZFS parent.
    [[nodiscard]] Result<void> check_clone(TemplateId) const override { return {}; }
    [[nodiscard]] Result<void> check_storage(JailId id, const model::Storage& storage) override;
    Result<std::vector<ObservedStorage>> storage(const std::vector<JailId>& jails) override;
    Result<void> set_storage(JailId id, const model::Storage& storage) override;
    Result<void> prepare(const RootParameters& parameters) override;
    Result<void> refresh(const RootParameters& parameters) override;
    Result<void> write_hosts(const RootParameters& parameters) override;
    Result<std::vector<Mount>> mounts(const RootParameters& parameters) override;
    Result<void> remove(JailId id) override;

private:
    Result<void> find_template(const RootParameters& parameters);
    [[nodiscard]] bool has_datasets() const;

    World& world_;
};

class MemorySnapshots : public Snapshots {
public:
    explicit MemorySnapshots(World& world) : world_(world) {}
    Result<std::vector<SnapshotKey>> list() override;
    Result<SnapshotSize> take(const SnapshotKey& key, const std::function<bool(const SnapshotSize&)>& go_on) override;
    Result<bool> staged(const Restoration& restoration) override;
    Result<void> stage(const Restoration& restoration) override;
    Result<void> unstage(JailId jail) override;
    Result<void> restore(const Restoration& restoration) override;
    Result<void> remove(const SnapshotKey& key) override;

private:
    Result<void> stage(Directory& held, const SnapshotKey& from);
    World& world_;
};

/// Its trees lie in the state directory, but only on their way.
class MemoryTransfers : public RootTransfers {
public:
    explicit MemoryTransfers(World& world) : world_(world) {}
    Result<void> clear() override;
    Result<bool> readable(JailId) override { return true; }
    Result<HeldTree> open(JailId id) override;
    Result<HeldTree> open(const SnapshotKey& key) override;
    Result<std::unique_ptr<RootImport>> import() override;

private:
    Result<HeldTree> write_out(std::int64_t content);
    World& world_;
};

class MemoryRootUpgrades : public RootUpgrades {
public:
    explicit MemoryRootUpgrades(World& world) : world_(world) {}
    Result<upgrade::MergeReport> upgrade(const RootUpgrade& upgrade) override;
    Result<upgrade::MergeReport> try_upgrade(const RootUpgrade& upgrade) override;

private:
    World& world_;
};

class MemoryProcesses : public Processes {
public:
    explicit MemoryProcesses(World& world) : world_(world) {}
    Result<std::vector<ObservedShim>> list(Scope scope) override;
    Result<void> hold(JailId id) override;
    Result<void> reset(JailId id) override;
    Result<void> start_command(JailId id, const Program& program) override;
    Result<void> watch_all(JailId id) override;
    Result<void> stop_command(JailId id, Milliseconds grace) override;
    Result<void> run(JailId id, const Program& program, Milliseconds timeout, bool marks_start) override;
    Result<void> run_hook(JailId id, model::Hook hook, const HostProgram& program, Milliseconds timeout) override;
    void interrupt(JailId) override {}  // nothing here takes time
    Result<std::unique_ptr<RunningProgram>> exec(JailId id, const Program& program, Stdio stdio) override;
    Result<UniqueFd> open_log(JailId id) override;
    Result<void> release(JailId id) override;

private:
    /// The directory of a jail in which a program can be run now.
    Result<Directory*> runnable(JailId id, std::string_view op);
    void check_configured(JailId id, std::string_view what);
    Result<void> check_hook(JailId id, const Directory& held, model::Hook hook);
    World& world_;
};

/// zfs-jail(8), on a host with ZFS.
class MemoryDelegations : public Delegations {
public:
    explicit MemoryDelegations(World& world) : world_(world) {}
    Result<void> check(const std::string& dataset) override;
    Result<void> attach(JailId id, const std::string& dataset) override;
    Result<void> detach(JailId id, const std::string& dataset) override;

private:
    [[nodiscard]] Result<void> judge(const std::string& dataset) const;
    void check_exclusive(JailId id, const std::string& dataset);
    World& world_;
};

/// rctl(8).
class MemoryLimits : public Limits {
public:
    explicit MemoryLimits(World& world) : world_(world) {}
    Result<void> check(const model::Limits& limits, const std::filesystem::path& root) override;
    Result<void> check_cpus(const std::string& cpus) override;
    Result<std::vector<ObservedLimits>> list(const std::vector<LimitSubject>& jails) override;
    Result<void> ensure(const LimitSubject& jail, const model::Limits& limits) override;
    Result<void> remove(const LimitSubject& jail) override;

private:
    [[nodiscard]] Result<void> check_racct() const;
    Result<void> set_cpus(const LimitSubject& jail);
    Result<void> add_rule(const std::string& name, const model::LimitRule& rule);
    World& world_;
};

/// Counters that grow with the time since this model was made, each jail's as fast as its id is large.
class MemoryStats : public Stats {
public:
    explicit MemoryStats(World& world) : world_(world) {}
    Result<std::vector<JailCounters>> list(Scope scope) override;
    Result<JailProcesses> processes(JailId id) override;
    Result<std::vector<std::int64_t>> signal(JailId id, int signal, const std::vector<std::int64_t>& pids) override;

private:
    [[nodiscard]] Milliseconds age() const;
    World& world_;
    std::chrono::steady_clock::time_point made_ = std::chrono::steady_clock::now();
};

class MemoryFirewall : public Firewall {
public:
    explicit MemoryFirewall(World& world) : world_(world) {}
    Result<void> available() override;
    Result<std::vector<ObservedRules>> list(const std::vector<model::Network>& desired) override;
    Result<void> enforceable() override;
    bool guards() override;
    Result<void> apply(const model::Network& network) override;
    Result<void> remove(NetworkId network) override;
    Result<std::vector<ObservedJailRules>> list_jails(const std::vector<JailRules>& desired) override;
    Result<void> apply(const JailRules& rules) override;
    Result<void> remove(JailId jail) override;
    Result<void> update(const std::vector<GroupUse>& groups) override;
    Result<LoadedText> loaded(const JailRules& rules) override;
    Result<std::optional<std::string>> listener(const model::Publish& publish) override;

private:
    World& world_;
};

class MemoryHost : public Host {
public:
    explicit MemoryHost(World& world) : world_(world), boot_(InstanceId::generate().text()) {}
    Result<model::HostInfo> facts() override;
    Result<std::string> identity() override;
    Result<std::string> boot() override;
    Result<std::vector<model::Check>> checks() override;

private:
    World& world_;
    std::string boot_;  ///< as long as this model is
};

/// What is mounted for a root of this kind.
std::vector<Mount> mounts_for(const model::RootSpec& root);

}  // namespace jaild::kernel::memory
