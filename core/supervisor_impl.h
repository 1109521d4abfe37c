#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

#include "core/jail_cache.h"
#include "core/pool_keeper.h"
#include "core/snapshots/engine.h"
#include "core/supervisor.h"
#include "core/templates/engine.h"
#include "core/transfer/metadata.h"
#include "core/transfer/running_imports.h"

namespace jaild {

/// What the parts of the supervisor share: supervisor.cpp (reads), supervisor_changes.cpp (writes).
class Supervisor::Impl {
public:
    Impl(store::Store& store, kernel::Kernel& kernel, reconcile::Reconciler& reconciler, Clock& clock,
         templates::Options templates);
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// Who is told of new events, once the cache knows what they say.
    void forward_events(std::function<void(EventSeq)> listener);
    /// Drops the rows that the reconciler deleted since the last call. Blocking.
    void catch_up();
    /// Loads the rows, and makes the default network at the first start.
    Result<void> prepare();

    /// One transaction's part that every change has: the operation, its event and its audit row.
    struct Change {
        std::string_view kind;    ///< "create"
        std::string_view event;   ///< "jail.created"
        std::string_view action;  ///< "jail.create"
        std::string snapshot;     ///< that the root becomes: "web@before"
    };
    Result<std::string> write_change(store::Writer& writer, const Caller& caller, const Change& change,
                                     const model::Jail& jail);
    /// The same of a change that a client may repeat; `accepted` has its row, and is given the operation.
    Result<void> begin_change(store::Writer& writer, const Caller& caller, const Change& change, const Retry& retry,
                              Accepted& accepted);
    static inline const Change kRestart{.kind = "restart", .event = "jail.restarted", .action = "jail.restart"};
    using MakeSpec = std::function<Result<model::JailSpec>(const model::JailSpec& current)>;
    /// What PUT and PATCH have in common once it is known how the new spec follows from the old.
    Result<Accepted> change_spec(const Caller& caller, const model::Name& name, const MakeSpec& make_spec,
                                 const Precondition& precondition, bool restart, DryRun dry_run);
    /// A field that changed, or one that waits since an earlier change, takes effect with a restart only.
    [[nodiscard]] bool wants_restart(const model::Jail& before, const model::Jail& after) const;
    /// What check_kernel() said to a change before its transaction. In the transaction the change may be another one.
    struct Verdict {
        model::JailSpec from{};
        model::JailSpec to{};
        Result<void> said{};
    };
    Verdict judge(const model::Name& name, const MakeSpec& make_spec);
    /// One try at change_spec(): its transaction. Errc::busy when the jail was changed meanwhile.
    Result<void> write_spec(const Caller& caller, const model::Name& name, const MakeSpec& make_spec,
                            const Precondition& precondition, bool restart, DryRun dry_run,
                            std::optional<Accepted>& accepted);
    /// The end of every change: a dry run gets its plan, anything else is told to cache and reconciler.
    Result<Accepted> finish(Result<void> written, std::optional<Accepted> accepted, DryRun dry_run);
    /// After COMMIT: the cache and the reconciler hear of it.
    void committed(const Accepted& accepted);
    Result<std::vector<std::string>> steps(const model::Jail& jail);
    /// A check of what a spec asks of this host: network mode, root kind, the directory of a `path` root, parameters,
    /// limits. Asks the kernel: never within a transaction.
    Result<void> check_host(const model::JailSpec& spec, const std::string& name);
    /// Its template is one that clones can be made of.
    Result<void> check_clone(const model::JailSpec& spec);
    /// The part of it that a change can ask for anew: parameters, devfs ruleset, limits, firewall, ports and
    /// addresses of the host.
    /// What was there already is not asked for again, so that a jail can be changed and stopped on a host that cannot
    /// honour it any more.
    Result<void> check_kernel(const model::JailSpec& from, const model::JailSpec& to);
    Result<void> check_enforced(const model::JailSpec& spec);
    Result<void> check_ports_of_host(const model::JailSpec& from, const model::JailSpec& to);
    Result<void> check_mounts(const model::JailSpec& from, const model::JailSpec& to);
    Result<void> check_probe(const model::JailSpec& from, const model::JailSpec& to);
    Result<void> check_new_datasets(const model::JailSpec& from, const model::JailSpec& to);
    Result<void> authorize_spec(const Caller& caller, const model::JailSpec& from, const model::JailSpec& to) const;
    Result<void> authorize_mounts(const Caller& caller, const model::JailSpec& from, const model::JailSpec& to) const;
    Result<void> check_aliases(const model::NetworkSpec& from, const model::NetworkSpec& to);

    // supervisor_networks.cpp
    [[nodiscard]] std::vector<std::string> jails_on(const model::Network& network) const;
    /// Chooses what was not mentioned, apart from `used` and `others`.
    static Result<void> complete(model::NetworkRequest& request, const std::vector<Prefix>& used,
                                 const std::vector<model::Network>& others);
    /// What only this host can say of a network. Asks the kernel: never within a transaction.
    Result<void> check_network_host(const model::Network& network, const std::vector<Prefix>& used);
    /// The event "network.<happened>" and the audit row of "network.<what>".
    static Result<void> tell_of_network(store::Writer& writer, const Caller& caller, const model::Network& network,
                                        std::string_view what, std::string_view happened);
    /// What the same Idempotency-Key made before.
    static Result<std::optional<model::Network>> kept_network(store::Reader& reader, const Caller& caller,
                                                              const Retry& retry);
    using MakeNetwork = std::function<Result<model::Network>(const model::Network& current)>;
    /// What PUT and PATCH have in common.
    Result<void> check_left(const model::Network& network);
    Result<model::Network> delete_network(const Caller& caller, const model::Name& name,
                                          const Precondition& precondition, DryRun dry_run);
    Result<ShownNetwork> change_network(const Caller& caller, const model::Name& name, const MakeNetwork& make,
                                        const Precondition& precondition, DryRun dry_run);
    Result<ShownNetwork> finish_network(Result<void> written, ShownNetwork shown, DryRun dry_run);

    // supervisor_templates.cpp
    Result<ShownTemplate> show(store::Reader& reader, model::Template value) const;
    [[nodiscard]] std::vector<std::string> jails_of_host() const;
    /// What the same Idempotency-Key began before.
    Result<std::optional<AcceptedTemplate>> kept_template(store::Reader& reader, const Caller& caller,
                                                          const Retry& retry) const;
    /// The jail that a template is to be made of, if it may be: Errc::invalid "jail_unknown", Errc::conflict
    /// "jail_running".
    Result<std::optional<model::Jail>> template_source(store::Reader& reader,
                                                       const model::TemplateRequest& request) const;
    /// Once it is known that the caller may.
    Result<AcceptedTemplate> import_template(const Caller& caller, model::TemplateRequest request, UniqueFd upload,
                                             const Retry& retry);
    /// The part of a transaction that every change of a template has: the operation, its event and its audit row.
    /// `what`: "import"; `happened`: "importing".
    static Result<std::string> write_template_change(store::Writer& writer, const Caller& caller,
                                                     const model::Template& value, std::string_view what,
                                                     std::string_view happened);

    /// A row that is to become a template, with what write_template_change() writes and its Idempotency-Key.
    static Result<AcceptedTemplate> write_new_template(store::Writer& writer, const Caller& caller,
                                                       const model::Template& value, std::string_view what,
                                                       const Retry& retry);

    // supervisor_snapshots.cpp
    /// The part of a transaction that every change of a snapshot has.
    static Result<AcceptedSnapshot> write_snapshot_change(store::Writer& writer, const Caller& caller,
                                                          const model::Snapshot& value, std::string_view what,
                                                          std::string_view happened, const Retry& retry);
    /// What the same Idempotency-Key began before.
    Result<std::optional<AcceptedSnapshot>> kept_snapshot(store::Reader& reader, const Caller& caller,
                                                          const Retry& retry) const;
    /// supervisor_upgrades.cpp: what an upgrade would do, as lines of a plan. Reads both templates and the root.
    Result<Accepted> try_upgrade(const model::Name& name, const model::TemplateRef& to);
    /// Those that are taken of a jail that is going.
    void interrupt_snapshots(JailId jail);

    // supervisor_pools.cpp
    void keep_pools();
    Result<void> fill_pool(const model::Pool& pool);
    void drain_pool(const model::Jail& jail);
    [[nodiscard]] ShownPool show(model::Pool pool) const;
    Result<void> check_pool(const Caller& caller, model::JailSpec from, model::JailSpec& spec);
    Result<std::optional<Accepted>> take_ready(const Caller& caller, const model::Pool& pool, const Retry& retry);

    // supervisor_transfers.cpp
    /// What is exported: a jail's root, or one of its snapshots.
    struct Export {
        model::Jail jail;
        std::optional<model::Snapshot> snapshot{};
        bool temporary = false;  ///< the snapshot, which was written down for this export
        std::string metadata{};
    };
    /// Errc::unsupported "imports_unavailable" without jaild-archive.
    [[nodiscard]] Result<void> check_archives() const;
    Result<Export> begin_export(const Caller& caller, const model::Name& name, const std::string& snapshot);
    Result<archive::Done> write_archive(const Export& what, int target, const std::function<bool()>& interrupted);
    Result<void> check_same(const Export& what);
    void drop_snapshot(const model::Snapshot& snapshot);
    /// It can become a jail of this host, as far as its template and its system go.
    Result<void> check_archive(const transfer::Metadata& metadata);
    Result<void> finish_import(Accepted& accepted, const archive::Done& unpacked);
    /// Nothing of the jail stays; its import has failed.
    void undo_import(const Accepted& accepted, const Error& error);
    /// Those that another daemon did not finish.
    Result<void> end_imports(std::vector<model::Jail>& rows);

    /// What the root of a new jail is made of.
    struct OfTemplate {};
    struct OfArchive {};
    using RootSource = std::variant<OfTemplate, OfArchive, model::Snapshot>;
    Result<Accepted> create(const Caller& caller, model::NamedSpec spec, DryRun dry_run, Retry retry,
                            const RootSource& from, const model::Pool* pool = nullptr);

    /// The row with its status filled in.
    [[nodiscard]] model::Jail with_status(model::Jail row) const;

    store::Store& store;
    kernel::Kernel& kernel;
    reconcile::Reconciler& reconciler;
    Clock& clock;
    JailCache cache;
    model::HostInfo facts;
    const templates::Options archives;
    templates::Engine engine;
    snapshots::Engine snapshots;
    transfer::RunningImports imports;
    std::optional<PoolKeeper> pools;  ///< from prepare() on; its thread ends before all else

private:
    Result<void> prepare_network();

    void follow_events();
    void read_again(const std::string& jail);

    std::mutex catch_up_mutex_;
    EventSeq seen_{};

    std::mutex events_mutex_;  ///< of the four below
    std::condition_variable events_changed_;
    EventSeq newest_{};
    bool stopping_ = false;
    std::function<void(EventSeq)> listener_;
    std::thread follower_;  ///< keeps the cache current: deleted rows are known only from events
};

/// Only the kernel knows whether this change can be made: Impl::check_kernel() has to be asked.
bool asks_kernel(const model::JailSpec& from, const model::JailSpec& to);
/// Errc::conflict "port_in_use" when another jail publishes a port that this one asks for. Within the transaction.
Result<void> check_ports(store::Reader& reader, JailId self, const model::JailSpec& spec);
/// Errc::invalid "learned_address" when a rule of this jail's, or of another's about it, denies a jail whose addresses
/// are learned: nobody knows it by them, so that nothing would be denied. Within the transaction.
Result<void> check_denied(store::Reader& reader, JailId self, const model::Name& name, const model::JailSpec& spec);
/// Errc::denied unless the caller's role reaches `needed`.
Result<void> authorize(const Caller& caller, Role needed, std::string_view action);
/// Programs can be run in it: it runs, or failed and is alive. Errc::conflict "jail_not_running".
Result<void> check_alive(const model::Jail& jail, std::string_view op);
/// What a query asks for, its `after` and `limit` aside.
bool matches(const model::Jail& jail, const JailQuery& query);
/// Errc::stale "etag_mismatch" unless the jail, which exists, is as the precondition says.
Result<void> check_preconditions(const model::Jail& jail, const Precondition& precondition);
/// What the same Idempotency-Key answered before. Errc::conflict "idempotency_key_reused" for another request,
/// "idempotency_key_spent" when the jail is gone since.
Result<std::optional<Accepted>> replayed(store::Reader& reader, const Caller& caller, const Retry& retry);
/// What was kept under the request's Idempotency-Key: an operation's id, most often. Nothing for a new key, or none.
/// Errc::conflict "idempotency_key_reused" when it came with another request.
Result<std::optional<std::string>> kept_under(store::Reader& reader, const Caller& caller, const Retry& retry);

/// Errc::conflict "jail_in_pool".
Result<void> check_not_pooled(const model::Jail& jail);
/// A root that somebody works on, or that is not ours, has no snapshots, and is not upgraded: Errc::conflict
/// "jail_removing", "root_changing"; Errc::unsupported "path_root".
Result<void> check_root_free(const model::Jail& jail);
/// Something can be made of it. Errc::conflict "snapshot_not_ready".
Result<void> check_ready(const model::Snapshot& snapshot);
/// While a root is copied it is not exchanged. Errc::conflict "snapshot_under_way".
Result<void> check_none_under_way(store::Reader& reader, const model::Jail& jail);
/// Two of the same second are "…-2" and so on: nobody chose these names.
std::string free_snapshot_name(store::Reader& reader, const model::Jail& jail, const std::string& wanted);
model::Snapshot snapshot_of(const model::Jail& jail, std::string name, model::SnapshotReason reason);

}  // namespace jaild
