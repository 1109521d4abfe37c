#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/model/jail.h"
#include "core/model/network.h"
#include "core/model/operation.h"
#include "core/model/pool.h"
#include "core/model/snapshot.h"
#include "core/model/template.h"

namespace jaild::store {

struct JailFilter {
    std::optional<std::string> template_name{};
    std::vector<std::pair<std::string, std::string>> labels{};
    JailId after{};  ///< ids greater than this one
    std::size_t limit = 100;
};

struct AuditEntry {
    std::string principal;  ///< "uid:0", "token:ci"
    std::string action;     ///< "jail.create"
    std::string object;     ///< name
    std::string outcome;    ///< "accepted", "denied"
    UtcTime at{};           ///< filled in by the store
};

/// An address that a jail has on a network, running or not.
struct AddressOwner {
    JailId jail;
    std::string name;
    NetworkId network;
    std::string network_name;
    IpAddress address;
    bool isolated = false;  ///< the network: its members cannot reach each other
};

/// A jail whose root is made from a template, or a snapshot of a root that was.
struct TemplateUser {
    TemplateId id;
    std::string jail{};
    std::string snapshot{};  ///< "web@before"; empty: the jail itself
};

/// A stored answer to a request that carried an Idempotency-Key.
struct IdempotentReply {
    std::string fingerprint;  ///< of method, target and body: another request under the same key is refused
    std::string operation;    ///< id of the operation that it began
};

/// Reads of one consistent snapshot. Only valid inside the function that it is handed to.
class Reader {
public:
    virtual ~Reader() = default;
    /// Jails have their stored parts only: no status but last_exit-free defaults. Errc::not_found "jail_not_found".
    virtual Result<model::Jail> jail(JailId id) = 0;
    virtual Result<model::Jail> jail(const model::Name& name) = 0;
    /// By id; those being removed too: a client must see who holds a name.
    virtual Result<std::vector<model::Jail>> jails(const JailFilter& filter) = 0;
    /// All, those being removed too: for the reconciler. One that cannot be read fails the whole (Errc::corrupt): a
    /// jail that is left out would be taken for residue.
    virtual Result<std::vector<model::Jail>> all_jails() = 0;
    /// Every address of every jail, by network, jail and family.
    virtual Result<std::vector<AddressOwner>> address_owners() = 0;
    virtual Result<model::Network> network(const std::string& name) = 0;
    virtual Result<std::vector<model::Network>> networks() = 0;
    /// Errc::not_found "template_not_found". The latest version of a name is the one, of those that are ready, that was
    /// made last.
    virtual Result<model::Template> find_template(TemplateId id) = 0;
    virtual Result<model::Template> find_template(const model::TemplateRef& reference) = 0;
    /// The spec with the exact version of its template. Errc::invalid "template_unknown", Errc::conflict
    /// "template_not_ready".
    virtual Result<model::JailSpec> resolve_template(const model::JailSpec& spec) = 0;
    /// Those that are imported or removed too, by id; not the host's.
    virtual Result<std::vector<model::Template>> templates() = 0;
    /// Of all templates, those being removed too; by the jails' ids.
    virtual Result<std::vector<TemplateUser>> template_users() = 0;
    virtual Result<model::Operation> operation(const std::string& id) = 0;
    /// By their ids.
    virtual Result<std::vector<model::Pool>> pools() = 0;
    /// Errc::not_found "pool_not_found".
    virtual Result<model::Pool> pool(const model::Name& name) = 0;
    /// Operations of a jail that have not ended; not of its snapshots.
    virtual Result<std::vector<model::Operation>> running_operations(JailId jail) = 0;
    virtual Result<std::vector<model::Operation>> running_operations(TemplateId id) = 0;
    virtual Result<std::vector<model::Operation>> running_operations(SnapshotId id) = 0;
    /// Of all snapshots, also of those that are gone.
    virtual Result<std::vector<model::Operation>> running_snapshot_operations() = 0;
    /// Errc::not_found "snapshot_not_found".
    virtual Result<model::Snapshot> find_snapshot(SnapshotId id) = 0;
    virtual Result<model::Snapshot> find_snapshot(JailId jail, const std::string& name) = 0;
    /// Those that are made or removed too, by id.
    virtual Result<std::vector<model::Snapshot>> snapshots(JailId jail) = 0;
    virtual Result<std::vector<model::Snapshot>> snapshots() = 0;
    /// Errc::conflict "snapshot_in_use" while the root of another jail is to be made from a snapshot of this one.
    virtual Result<void> check_snapshots_free(JailId jail) = 0;
    /// After `after`, oldest first; after 0: from the oldest that is kept. Errc::not_found "events_gone" when events
    /// after `after` were pruned away, or `after` is not of this database (newer than its newest).
    virtual Result<std::vector<model::Event>> events(EventSeq after, std::size_t limit) = 0;
    /// The last ones of a jail's name, oldest first.
    virtual Result<std::vector<model::Event>> events_of(const std::string& jail, std::size_t last) = 0;
    /// 0: none yet.
    virtual Result<EventSeq> last_event() = 0;
    /// The last ones, oldest first.
    virtual Result<std::vector<AuditEntry>> audit(std::size_t last) = 0;
    virtual Result<std::optional<IdempotentReply>> idempotent(const std::string& principal, const std::string& key) = 0;
};

}  // namespace jaild::store
