#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/caller.h"
#include "core/kernel/kernel.h"
#include "core/model/host.h"
#include "core/model/jail.h"
#include "core/model/kill_request.h"
#include "core/model/network.h"
#include "core/model/operation.h"
#include "core/model/pool.h"
#include "core/model/snapshot.h"
#include "core/model/template.h"
#include "core/reconcile/reconciler.h"
#include "core/store/store.h"
#include "core/templates/archive/report.h"
#include "core/templates/options.h"
#include "core/templates/upload.h"

namespace jaild {

/// The condition under which a change is made.
struct Precondition {
    std::optional<std::string> if_match{};       ///< an entity tag, or "*"
    std::optional<std::string> if_none_match{};  ///< only "*": create, never replace
};

/// A change that was written: the jail as it is now, and the operation that carries it out.
struct Accepted {
    model::Jail jail;
    std::string operation;            ///< id; empty for a dry run or when nothing had to change
    bool replayed = false;            ///< the same Idempotency-Key answered again
    std::vector<std::string> plan{};  ///< for a dry run: the steps
};

enum class DryRun { no, yes };

struct Retry {
    std::string key{};          ///< Idempotency-Key, or empty
    std::string fingerprint{};  ///< of the request
};

/// A network, and who is on it.
struct ShownNetwork {
    model::Network network;
    std::vector<std::string> jails{};  ///< whose specs name it
    bool changed = false;              ///< by this request
    bool replayed = false;             ///< the same Idempotency-Key answered again
    std::vector<std::string> plan{};   ///< for a dry run: the steps
};

/// A template, and whose roots are made from it.
struct ShownTemplate {
    model::Template value;
    std::vector<std::string> jails{};
    std::vector<std::string> snapshots{};  ///< "web@before": of roots that were made from it
    void add(store::TemplateUser user);
    [[nodiscard]] nlohmann::json to_json() const;
};

/// A change of a template that was written, and the operation that carries it out.
struct AcceptedTemplate {
    ShownTemplate shown;
    std::string operation;  ///< id
    bool replayed = false;  ///< the same Idempotency-Key answered again
};

/// A change of a snapshot that was written, and the operation that carries it out.
struct AcceptedSnapshot {
    model::Snapshot snapshot;
    std::string operation{};  ///< id
    bool replayed = false;    ///< the same Idempotency-Key answered again
};

/// A pool, and what is known of its jails.
struct ShownPool {
    model::Pool pool;
    model::PoolStatus status{};
    bool replayed = false;  ///< the same Idempotency-Key answered again
};

struct ExecRequest {
    kernel::Program program;
    kernel::Stdio stdio;
};

/// What an imported jail gets otherwise than its archive says.
struct ImportRequest {
    std::optional<model::Name> name{};
    std::optional<bool> running{};
};

/// What one jail uses.
struct JailUsage {
    model::Name name;
    model::JailState state = model::JailState::stopped;
    std::uint64_t restarts = 0;                      ///< JailStatus::restarts
    std::vector<std::string> interfaces{};           ///< their names inside, by LinkId::index
    std::optional<kernel::JailCounters> counters{};  ///< nothing: it does not live
};
struct Usage {
    UtcTime at;
    std::chrono::microseconds monotonic{0};  ///< of a clock that only goes forward, for what was used in between
    std::vector<JailUsage> jails;            ///< in the order of their ids
};

struct JailPage {
    std::vector<model::Jail> items;
    JailId next{};  ///< 0: no more
};

struct JailQuery {
    std::optional<model::JailState> state{};
    std::optional<std::string> template_name{};
    std::vector<std::pair<std::string, std::string>> labels{};
    JailId after{};
    std::size_t limit = 100;  ///< 1 … 1000
};

/// The seam: the only way from api/ into core. Plain values in, Result out, streams as descriptors, the caller with
/// every call. All methods block (but those that say otherwise): any thread but the I/O one. Thread-safe.
class Supervisor {
public:
    Supervisor(store::Store& store, kernel::Kernel& kernel, reconcile::Reconciler& reconciler, Clock& clock,
               templates::Options templates = {});
    ~Supervisor();  ///< ends imports; the next daemon clears up

    /// Makes the network `default` at the first start, and goes on with templates. Before anything else.
    Result<void> prepare();

    // Jails. Errors beyond those named: denied; exhausted (disk full).
    /// invalid, conflict ("name_in_use", "path_in_use", "address_in_use"), unsupported; conflict
    /// "idempotency_key_reused", "idempotency_key_spent" (done before, and the jail is gone since).
    Result<Accepted> create(const Caller&, model::NamedSpec spec, DryRun, Retry);
    /// PUT. A jail that does not exist is created. stale ("etag_mismatch"); invalid "precondition_required" (428) when
    /// it exists and no If-Match came. `restart`: restart it in the same operation when a restart field changed or
    /// waits since an earlier change.
    Result<Accepted> replace(const Caller&, model::Name name, nlohmann::json spec, Precondition, bool restart, DryRun);
    /// PATCH, RFC 7396. not_found, stale, invalid.
    Result<Accepted> patch(const Caller&, model::Name name, nlohmann::json patch, Precondition, bool restart, DryRun);
    /// conflict "jail_stopped" when it should not run; stale.
    Result<Accepted> restart(const Caller&, model::Name name, Precondition, Retry);
    /// conflict "jail_running" unless `force`.
    Result<Accepted> remove(const Caller&, model::Name name, Precondition, bool force, DryRun);

    /// From memory: never blocks, any thread. Errc::not_found "jail_not_found".
    Result<model::Jail> get(const Caller&, const model::Name& name) const;
    /// The JSON that GET answers and its entity tag, kept until the jail changes: never blocks, any thread.
    struct Document {
        std::shared_ptr<const std::string> json;
        std::string etag;
    };
    Result<Document> document(const Caller&, const model::Name& name) const;
    Result<JailPage> list(const Caller&, const JailQuery& query) const;

    /// The steps that a round would do now.
    Result<std::vector<std::string>> plan(const Caller&, const model::Name& name);

    /// The packet filter rules of a jail with their counters; nothing while it is stopped, or without a network stack
    /// of its own.
    Result<std::optional<reconcile::Reconciler::Rules>> firewall(const Caller&, const model::Name& name);

    /// In a jail that runs, or that failed and is alive: else conflict "jail_not_running"; stale.
    Result<std::unique_ptr<kernel::RunningProgram>> exec(const Caller&, const model::Name& name, const Precondition&,
                                                         ExecRequest request);
    Result<UniqueFd> open_log(const Caller&, const model::Name& name);

    /// Of one; of those that the query, whose `after` and `limit` do not count, is about: one look at the kernel for
    /// all. One that does not run has no counters.
    Result<Usage> usage(const Caller&, const model::Name& name);
    Result<Usage> usage(const Caller&, const JailQuery& query);
    /// Of a jail that is stopped: none.
    Result<kernel::JailProcesses> processes(const Caller&, const model::Name& name);
    /// The host's pids of those that got the signal. conflict "jail_not_running", "process_held"; not_found
    /// "process_not_found".
    Result<std::vector<std::int64_t>> kill(const Caller&, const model::Name& name, const model::KillRequest& request);

    /// The host's first.
    Result<std::vector<ShownTemplate>> templates(const Caller&);
    /// not_found "template_not_found".
    Result<ShownTemplate> get_template(const Caller&, const model::TemplateRef& reference);
    /// Admins only where files of the host are read; from a jail, operators. As templates::Engine::check(),
    /// check_jail() and Writer::insert_template(); conflict "jail_running", invalid
    /// "jail_unknown"; the keys' conflicts as create().
    Result<AcceptedTemplate> import_template(const Caller&, model::TemplateRequest request, Retry);
    /// An archive that comes from the client, beginning with where it goes. Operators: jaild reads nothing of the host
    /// for it. conflict "template_exists"; as templates::Engine::check() and Upload::begin().
    Result<templates::Upload> begin_template_upload(const Caller&, const model::TemplateRequest& request, const Retry&);
    /// Once all of it has come; as import_template().
    Result<AcceptedTemplate> import_upload(const Caller&, model::TemplateRequest request, templates::Upload upload,
                                           Retry);
    /// A new version of it: a copy, on which the system's updater runs as root. Admins only. unsupported
    /// "updates_unavailable"; conflict "template_builtin", "template_not_ready" and those of Writer::insert_template();
    /// the keys' conflicts as create().
    Result<AcceptedTemplate> update_template(const Caller&, const model::TemplateRef& reference,
                                             model::TemplateUpdate update, Retry);
    /// invalid "version_required"; conflict "template_in_use", "template_importing", "template_builtin".
    Result<AcceptedTemplate> remove_template(const Caller&, const model::TemplateRef& reference);

    // Snapshots of a jail's root.
    /// By age, of one jail or of all.
    Result<std::vector<model::Snapshot>> snapshots(const Caller&, const std::optional<model::Name>& jail);
    /// not_found "snapshot_not_found", as with all below.
    Result<model::Snapshot> get_snapshot(const Caller&, const model::Name& jail, const std::string& name);
    /// The jail may run. conflict "snapshot_exists", "root_changing", "root_not_made", "jail_removing"; unsupported
    /// "path_root"; the keys' conflicts as create().
    Result<AcceptedSnapshot> create_snapshot(const Caller&, const model::Name& jail, model::SnapshotRequest request,
                                             Retry);
    /// conflict "snapshot_not_ready", "snapshot_in_use".
    Result<AcceptedSnapshot> remove_snapshot(const Caller&, const model::Name& jail, const std::string& name);
    /// The jail is stopped, its root becomes the snapshot, and it goes on as its spec says; what the root was is kept
    /// as another one. Conflicts as of the two above, and "snapshot_under_way"; stale.
    Result<Accepted> restore_snapshot(const Caller&, const model::Name& jail, const std::string& name, Precondition,
                                      Retry);
    /// A new jail with that root: the spec of the old one without what only one can have (ports, addresses, hostname),
    /// then `changes` by RFC 7396. As create().
    Result<Accepted> clone_snapshot(const Caller&, const model::Name& jail, const std::string& snapshot,
                                    model::Name name, nlohmann::json changes, Retry);

    /// The jail is stopped, a snapshot of its root taken, what changed between the versions of its template merged into
    /// it, and the jail started again; when it does not come up, the root is what it was. Nothing for the version that
    /// it has. A dry run answers what would be merged. conflict "no_template_version", "template_not_ready" and those
    /// of snapshots; invalid "another_template", "template_unknown"; stale.
    Result<Accepted> upgrade(const Caller&, const model::Name& jail, const model::TemplateRef& to, Precondition, DryRun,
                             Retry);
    /// restore_snapshot() of the newest that was taken before an upgrade. conflict "no_upgrade".
    Result<Accepted> roll_back(const Caller&, const model::Name& jail, Precondition, Retry);

    // A jail as one archive (core/transfer).
    /// Writes it to `target`, a pipe that is not closed: the root of a stopped jail, a snapshot that goes again of one
    /// that runs, or the snapshot that is named. What is written is of no use with an Error, though it may look
    /// complete: whoever passes it on holds its last bytes back. Nothing is written with Errc::unsupported "path_root",
    /// "host_template_jail"; Errc::conflict "root_not_made", "root_changing", "jail_removing"; those of snapshots.
    /// Later Errc::conflict "jail_changed"; as ArchiveProgram::pack(). `interrupted` is asked several times a second.
    Result<archive::Done> export_jail(const Caller&, const model::Name& name, const std::string& snapshot, int target,
                                      const std::function<bool()>& interrupted);
    /// Reads one from `source` to its end: a new jail, which is started as its spec says. Nothing is left of it with an
    /// Error: those of create(), their fields in the archive's JSON ("/spec/root"); Errc::unsupported "export_format",
    /// "host_template_jail"; Errc::invalid "another_system", "template_unknown"; Errc::conflict "template_differs",
    /// "import_interrupted" (also when the jail is removed meanwhile); as ArchiveProgram::unpack_jail().
    Result<Accepted> import_jail(const Caller&, ImportRequest request, int source,
                                 const std::function<bool()>& interrupted);

    // Networks. Changes are made when they return; what runs on a network follows within moments.
    Result<std::vector<ShownNetwork>> networks(const Caller&);
    /// not_found "network_not_found".
    Result<ShownNetwork> network(const Caller&, const std::string& name);
    /// As model::check_network() and Writer::insert_network(); invalid
    /// "interface_not_found"; conflict "subnet_in_use", also of the host's; unsupported; denied for an interface of the
    /// host's; the keys' conflicts as create().
    Result<ShownNetwork> create_network(const Caller&, model::NetworkRequest request, DryRun, Retry);
    /// PUT and PATCH, with preconditions as for jails; conflict "addresses_in_use", "network_in_use", "network_busy".
    Result<ShownNetwork> replace_network(const Caller&, const model::Name& name, nlohmann::json fields, Precondition,
                                         DryRun);
    Result<ShownNetwork> patch_network(const Caller&, const model::Name& name, nlohmann::json patch, Precondition,
                                       DryRun);
    /// As it was. conflict "network_in_use", "network_is_default".
    Result<ShownNetwork> remove_network(const Caller&, const model::Name& name, Precondition, DryRun);

    // Pools of jails that are kept ready: what is changed is followed in the background.
    Result<std::vector<ShownPool>> pools(const Caller&);
    /// not_found "pool_not_found".
    Result<ShownPool> pool(const Caller&, const model::Name& name);
    /// As create(), fields beneath "/jail"; conflict "pool_exists"; exhausted "too_many_pools".
    Result<ShownPool> create_pool(const Caller&, model::NamedPoolSpec pool, Retry);
    /// Its size, and what its jails are; busy "pool_busy".
    Result<ShownPool> patch_pool(const Caller&, const model::Name& name, nlohmann::json patch);
    /// The jails that wait in it go with it.
    Result<void> remove_pool(const Caller&, const model::Name& name);
    /// One of its jails, which is the caller's from now on; when none is ready, a new one of the same kind. Else as
    /// create().
    struct Taken {
        Accepted accepted;
        bool ready = false;  ///< it runs; else the operation makes it
    };
    Result<Taken> take(const Caller&, const model::Name& pool, Retry);

    Result<model::Operation> operation(const Caller&, const std::string& id);
    /// The jail goes on as its spec says; only the operation ends. An import ends with it. conflict
    /// "operation_finished".
    Result<model::Operation> cancel(const Caller&, const std::string& id);
    Result<std::vector<model::Event>> events(const Caller&, EventSeq after, std::size_t limit);
    Result<std::vector<model::Event>> events_of(const Caller&, const std::string& jail, std::size_t last);
    Result<EventSeq> last_event(const Caller&);
    Result<model::HostInfo> host(const Caller&);
    /// As reconcile::Reconciler::residue(). Admins only.
    Result<std::vector<model::Leftover>> residue(const Caller&, reconcile::Reconciler::Remove remove);
    /// Writes a copy of the database, as it is at one moment, to `target`, a pipe that is not closed; secrets are in
    /// it. Admins only. Errors before the first byte as store::Store::back_up(); what is written is of no use with an
    /// Error. `interrupted` is asked again and again.
    Result<void> back_up(const Caller&, int target, const std::function<bool()>& interrupted);
    [[nodiscard]] reconcile::Readiness readiness() const;

    /// Called after each commit of events, on a thread of core's; must not block. Set once, before the first request.
    void on_events(std::function<void(EventSeq)> listener);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jaild
