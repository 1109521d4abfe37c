#include "core/store/session.h"

namespace jaild::store {

Result<void> WriteSession::still_open() const {
    if (connection_.in_transaction()) return {};
    return std::unexpected(Error{.code = Errc::kernel,
                                 .op = "store_work",
                                 .detail = "the transaction was undone after an earlier error",
                                 .reason = "transaction_undone"});
}

Result<model::Jail> WriteSession::insert_jail(const model::NamedSpec& spec) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::insert(connection_, spec, clock_.now());
}

Result<model::Jail> WriteSession::update_jail(JailId id, const model::JailSpec& spec) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::update(connection_, id, spec, clock_.now());
}

Result<model::Jail> WriteSession::request_restart(JailId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::request_restart(connection_, id);
}

Result<model::Jail> WriteSession::mark_removing(JailId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::mark_removing(connection_, id);
}

Result<std::vector<model::Jail>> WriteSession::begin_boot(const std::string& boot) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::begin_boot(connection_, boot, clock_.now());
}

Result<void> WriteSession::delete_jail(JailId id) {
    if (auto open = still_open(); !open) return open;
    return store::jails::erase(connection_, id);
}

Result<model::Pool> WriteSession::insert_pool(const model::NamedPoolSpec& pool) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::pools::insert(connection_, pool, clock_.utc());
}

Result<model::Pool> WriteSession::update_pool(PoolId id, const model::PoolSpec& spec) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::pools::update(connection_, id, spec);
}

Result<void> WriteSession::delete_pool(PoolId id) {
    if (auto open = still_open(); !open) return open;
    return store::pools::erase(connection_, id);
}

Result<model::Jail> WriteSession::put_in_pool(JailId jail, const model::Pool& pool) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    if (auto done = store::pools::put(connection_, jail, pool); !done) return std::unexpected(done.error());
    return store::jails::find(connection_, jail);
}

Result<model::Jail> WriteSession::take_from_pool(JailId jail) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    if (auto done = store::pools::take(connection_, jail, clock_.now()); !done) return std::unexpected(done.error());
    return store::jails::find(connection_, jail);
}

Result<model::Network> WriteSession::insert_network(const model::Network& network) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::networks::insert(connection_, network, clock_.utc());
}

Result<model::Network> WriteSession::update_network(const model::Network& network) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::networks::update(connection_, network);
}

Result<void> WriteSession::delete_network(const model::Network& network) {
    if (auto open = still_open(); !open) return open;
    return store::networks::erase(connection_, network);
}

Result<model::Template> WriteSession::insert_template(const model::Template& value) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::templates::insert(connection_, value, clock_.utc());
}

Result<model::Template> WriteSession::finish_template(const model::Template& value) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::templates::finish(connection_, value);
}

Result<model::Template> WriteSession::mark_template_removing(TemplateId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::templates::mark_removing(connection_, id);
}

Result<void> WriteSession::delete_template(TemplateId id) {
    if (auto open = still_open(); !open) return open;
    return store::templates::erase(connection_, id);
}

Result<model::Snapshot> WriteSession::insert_snapshot(const model::Snapshot& value) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::snapshots::insert(connection_, value, clock_.utc());
}

Result<model::Snapshot> WriteSession::finish_snapshot(SnapshotId id, const std::optional<model::SnapshotSize>& size) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::snapshots::finish(connection_, id, size);
}

Result<model::Snapshot> WriteSession::mark_snapshot_removing(SnapshotId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::snapshots::mark_removing(connection_, id);
}

Result<void> WriteSession::delete_snapshot(SnapshotId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::snapshots::erase(connection_, id);
}

Result<model::Jail> WriteSession::change_root(JailId id, const model::RootChange& change, const model::Snapshot& from) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::change_root(connection_, id, change, from);
}

Result<model::Jail> WriteSession::begin_upgrade(JailId id, const model::RootChange& change, const model::Template& to) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::begin_upgrade(connection_, id, change, to);
}

Result<model::Jail> WriteSession::begin_unpack(JailId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::begin_unpack(connection_, id);
}

Result<model::Jail> WriteSession::go_on_with_root(JailId id, model::RootStage stage) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::go_on_with_root(connection_, id, stage);
}

Result<model::Jail> WriteSession::end_root_change(JailId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::end_root_change(connection_, id);
}

Result<model::Jail> WriteSession::undo_root_change(JailId id) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::jails::undo_root_change(connection_, id);
}

Result<model::Operation> WriteSession::insert_operation(const model::Operation& operation) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    return store::operations::insert(connection_, operation, clock_.utc(), keep_.operations);
}

Result<void> WriteSession::update_operation(const model::Operation& operation) {
    if (auto open = still_open(); !open) return open;
    return store::operations::update(connection_, operation, clock_.utc());
}

Result<EventSeq> WriteSession::append_event(std::string_view type, std::string_view jail, std::string_view operation,
                                            std::string_view data) {
    if (auto open = still_open(); !open) return std::unexpected(open.error());
    auto seq = store::events::append(connection_, {.type = type, .jail = jail, .operation = operation, .data = data},
                                     clock_.utc(), keep_.events);
    if (seq) newest_event_ = *seq;
    return seq;
}

Result<void> WriteSession::append_audit(const AuditEntry& entry) {
    if (auto open = still_open(); !open) return open;
    return store::audit::append(connection_, entry, clock_.utc(), keep_.audit);
}

Result<void> WriteSession::remember(const std::string& principal, const std::string& key,
                                    const IdempotentReply& reply) {
    if (auto open = still_open(); !open) return open;
    return store::idempotency::remember(connection_, principal, key, reply, clock_.utc(), keep_.idempotency_keys);
}

}  // namespace jaild::store
