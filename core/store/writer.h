#pragma once

#include <string>
#include <string_view>

#include "core/store/reader.h"

namespace jaild::store {

/// Changes, all in one transaction with the other calls of the same function.
class Writer : public Reader {
public:
    /// Inserts with generation 1. Errc::conflict "name_in_use" (also while a removed jail's residue is left),
    /// "path_in_use" when another jail has the same `path` root, the same directory under another spelling included
    /// only as far as the text shows. Addresses: static ones first, then the lowest free of each network; Errc::invalid
    /// "network_not_found", "address_outside" (of the subnet, or another prefix length), "address_reserved" (the
    /// subnet's own or its broadcast address), "address_is_gateway"; Errc::conflict "address_in_use"; Errc::exhausted
    /// "addresses_exhausted". The template is resolved: the stored spec names its exact version, and the template stays
    /// as long as the jail; Errc::invalid "template_unknown", Errc::conflict "template_not_ready". Each change of a
    /// jail is whole or not done, also when `work` goes on after an Error.
    virtual Result<model::Jail> insert_jail(const model::NamedSpec& spec) = 0;
    /// A new spec under generation + 1; addresses follow it (a static address given, a mode changed), those that still
    /// fit stay. Errc::conflict "jail_removing" once it is being removed, as with request_restart; else as insert_jail.
    virtual Result<model::Jail> update_jail(JailId id, const model::JailSpec& spec) = 0;
    /// incarnation + 1.
    virtual Result<model::Jail> request_restart(JailId id) = 0;
    /// Can be repeated.
    virtual Result<model::Jail> mark_removing(JailId id) = 0;
    /// The daemon starts, in that boot of the host (Host::boot()). In another one than the last, what jails have of
    /// their ttl is counted on by its monotonic clock (what passed meanwhile by the wall clock); answers the ephemeral
    /// jails of before, which are to be removed. Nothing at the first start ever.
    virtual Result<std::vector<model::Jail>> begin_boot(const std::string& boot) = 0;
    /// Nothing is left of it: row and addresses go, the name is free.
    virtual Result<void> delete_jail(JailId id) = 0;

    /// Checked by its maker (model::check_network); here only that no other network has its name or overlaps it.
    /// Errc::conflict "network_exists", "subnet_in_use".
    virtual Result<model::Network> insert_network(const model::Network& network) = 0;
    /// What the network of that id is from now on, under generation + 1. Its jails keep their addresses, and get one of
    /// a family that it did not have. Errc::conflict "subnet_in_use", and "addresses_in_use" with the jails whose
    /// addresses would not be of it any more; else as insert_jail.
    virtual Result<model::Network> update_network(const model::Network& network) = 0;
    /// Errc::conflict "network_in_use" with the jails whose specs name it, those being removed too.
    virtual Result<void> delete_network(const model::Network& network) = 0;

    /// In state importing; id and created_at are filled in, and a version that is empty with the next free number.
    /// Errc::conflict "template_exists", also while the one that was removed is not gone.
    virtual Result<model::Template> insert_template(const model::Template& value) = 0;
    /// It is ready, with what is known of it now. Errc::conflict "template_not_importing".
    virtual Result<model::Template> finish_template(const model::Template& value) = 0;
    /// Errc::conflict "template_in_use" with the jails that are made from it. Can be repeated.
    virtual Result<model::Template> mark_template_removing(TemplateId id) = 0;
    /// Nothing is left of it: name and version are free.
    virtual Result<void> delete_template(TemplateId id) = 0;

    /// Errc::conflict "pool_exists"; Errc::exhausted "too_many_pools".
    virtual Result<model::Pool> insert_pool(const model::NamedPoolSpec& pool) = 0;
    /// Under generation + 1, and jail_generation + 1 when its jails are to be others.
    virtual Result<model::Pool> update_pool(PoolId id, const model::PoolSpec& spec) = 0;
    virtual Result<void> delete_pool(PoolId id) = 0;
    /// It waits there from now on.
    virtual Result<model::Jail> put_in_pool(JailId jail, const model::Pool& pool) = 0;
    /// It is somebody's from now on, and its ttl begins.
    virtual Result<model::Jail> take_from_pool(JailId jail) = 0;

    /// In state creating; id, jail_name and created_at are filled in. Errc::conflict "snapshot_exists"; Errc::exhausted
    /// "too_many_snapshots".
    virtual Result<model::Snapshot> insert_snapshot(const model::Snapshot& value) = 0;
    /// It is ready. Errc::conflict "snapshot_not_creating".
    virtual Result<model::Snapshot> finish_snapshot(SnapshotId id, const std::optional<model::SnapshotSize>& size) = 0;
    /// Errc::conflict "snapshot_in_use" while a root is to become it. Can be repeated.
    virtual Result<model::Snapshot> mark_snapshot_removing(SnapshotId id) = 0;
    /// Nothing is left of it: its name is free. Those of a jail go with it.
    virtual Result<void> delete_snapshot(SnapshotId id) = 0;
    /// The jail is stopped, its root becomes the snapshot `from`, and then it goes on as its spec says: with the
    /// template of the snapshot, under generation + 1. Errc::conflict "jail_removing", also of the
    /// snapshot's jail, and "snapshot_not_ready".
    virtual Result<model::Jail> change_root(JailId id, const model::RootChange& change,
                                            const model::Snapshot& from) = 0;
    /// The jail is stopped, and its root goes through the stages of an upgrade: its template is `to` from now on, under
    /// generation + 1. Errc::conflict "jail_removing".
    virtual Result<model::Jail> begin_upgrade(JailId id, const model::RootChange& change,
                                              const model::Template& to) = 0;
    /// The root of a new jail is unpacked from an archive; nobody starts it before end_root_change().
    virtual Result<model::Jail> begin_unpack(JailId id) = 0;
    /// Its root has come so far.
    virtual Result<model::Jail> go_on_with_root(JailId id, model::RootStage stage) = 0;
    /// That is done.
    virtual Result<model::Jail> end_root_change(JailId id) = 0;
    /// It does not happen: the snapshot that was to keep the root goes, the template is again the one that it says,
    /// under generation + 1. Nothing for a jail without such a change.
    virtual Result<model::Jail> undo_root_change(JailId id) = 0;

    /// id and created_at are filled in.
    virtual Result<model::Operation> insert_operation(const model::Operation& operation) = 0;
    /// State, generation, incarnation, problem, the last 64 steps; finished_at is filled in when it ends without one.
    virtual Result<void> update_operation(const model::Operation& operation) = 0;
    /// `data`: a JSON object as text, or empty for {}. Oldest are pruned beyond kKeptEvents.
    virtual Result<EventSeq> append_event(std::string_view type, std::string_view jail, std::string_view operation,
                                          std::string_view data) = 0;
    virtual Result<void> append_audit(const AuditEntry& entry) = 0;
    /// Errc::conflict "idempotency_key_reused" when the key is there already.
    virtual Result<void> remember(const std::string& principal, const std::string& key,
                                  const IdempotentReply& reply) = 0;
};

}  // namespace jaild::store
