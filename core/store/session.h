#pragma once

#include <string>
#include <vector>

#include "core/store/addresses.h"
#include "core/store/audit.h"
#include "core/store/connection.h"
#include "core/store/events.h"
#include "core/store/idempotency.h"
#include "core/store/jails.h"
#include "core/store/networks.h"
#include "core/store/operations.h"
#include "core/store/pools.h"
#include "core/store/snapshots.h"
#include "core/store/store.h"
#include "core/store/templates.h"

/// What a `work` function is handed: the contract's Reader and Writer on one connection, inside its transaction.
namespace jaild::store {

/// The reading half, for Base = Reader and, as Writer is a Reader too, for Base = Writer.
template <class Base>
class ReadSession : public Base {
public:
    explicit ReadSession(Connection& connection) : connection_(connection) {}

    Result<model::Jail> jail(JailId id) override { return store::jails::find(connection_, id); }
    Result<model::Jail> jail(const model::Name& name) override { return store::jails::find(connection_, name); }
    Result<std::vector<model::Jail>> jails(const JailFilter& filter) override {
        return store::jails::list(connection_, filter);
    }
    Result<std::vector<model::Jail>> all_jails() override { return store::jails::all(connection_); }
    Result<std::vector<AddressOwner>> address_owners() override { return store::addresses::owners(connection_); }
    Result<model::Network> network(const std::string& name) override {
        return store::networks::find(connection_, name);
    }
    Result<std::vector<model::Network>> networks() override { return store::networks::all(connection_); }
    Result<model::Template> find_template(TemplateId id) override { return store::templates::find(connection_, id); }
    Result<model::Template> find_template(const model::TemplateRef& reference) override {
        return store::templates::find(connection_, reference);
    }
    Result<model::JailSpec> resolve_template(const model::JailSpec& spec) override {
        auto resolved = store::templates::resolve(connection_, spec);
        if (!resolved) return std::unexpected(resolved.error());
        return std::move(resolved->spec);
    }
    Result<std::vector<model::Template>> templates() override { return store::templates::all(connection_); }
    Result<std::vector<TemplateUser>> template_users() override { return store::templates::users(connection_); }
    Result<std::vector<model::Pool>> pools() override { return store::pools::all(connection_); }
    Result<model::Pool> pool(const model::Name& name) override { return store::pools::find(connection_, name); }
    Result<model::Operation> operation(const std::string& id) override {
        return store::operations::find(connection_, id);
    }
    Result<std::vector<model::Operation>> running_operations(JailId jail) override {
        return store::operations::running(connection_, jail);
    }
    Result<std::vector<model::Operation>> running_operations(TemplateId id) override {
        return store::operations::running(connection_, id);
    }
    Result<std::vector<model::Operation>> running_operations(SnapshotId id) override {
        return store::operations::running(connection_, id);
    }
    Result<std::vector<model::Operation>> running_snapshot_operations() override {
        return store::operations::running_of_snapshots(connection_);
    }
    Result<model::Snapshot> find_snapshot(SnapshotId id) override { return store::snapshots::find(connection_, id); }
    Result<model::Snapshot> find_snapshot(JailId jail, const std::string& name) override {
        return store::snapshots::find(connection_, jail, name);
    }
    Result<std::vector<model::Snapshot>> snapshots(JailId jail) override {
        return store::snapshots::of_jail(connection_, jail);
    }
    Result<std::vector<model::Snapshot>> snapshots() override { return store::snapshots::all(connection_); }
    Result<void> check_snapshots_free(JailId jail) override { return store::snapshots::check_free(connection_, jail); }
    Result<std::vector<model::Event>> events(EventSeq after, std::size_t limit) override {
        return store::events::after(connection_, after, limit);
    }
    Result<std::vector<model::Event>> events_of(const std::string& jail, std::size_t last) override {
        return store::events::of_jail(connection_, jail, last);
    }
    Result<EventSeq> last_event() override { return store::events::last(connection_); }
    Result<std::vector<AuditEntry>> audit(std::size_t last) override { return store::audit::last(connection_, last); }
    Result<std::optional<IdempotentReply>> idempotent(const std::string& principal, const std::string& key) override {
        return store::idempotency::find(connection_, principal, key);
    }

protected:
    Connection& connection_;
};

class WriteSession final : public ReadSession<Writer> {
public:
    WriteSession(Connection& connection, Clock& clock, const Retention& keep)
        : ReadSession(connection), clock_(clock), keep_(keep) {}

    Result<model::Jail> insert_jail(const model::NamedSpec& spec) override;
    Result<model::Jail> update_jail(JailId id, const model::JailSpec& spec) override;
    Result<model::Jail> request_restart(JailId id) override;
    Result<model::Jail> mark_removing(JailId id) override;
    Result<std::vector<model::Jail>> begin_boot(const std::string& boot) override;
    Result<void> delete_jail(JailId id) override;
    Result<model::Network> insert_network(const model::Network& network) override;
    Result<model::Network> update_network(const model::Network& network) override;
    Result<void> delete_network(const model::Network& network) override;
    Result<model::Template> insert_template(const model::Template& value) override;
    Result<model::Template> finish_template(const model::Template& value) override;
    Result<model::Template> mark_template_removing(TemplateId id) override;
    Result<void> delete_template(TemplateId id) override;
    Result<model::Pool> insert_pool(const model::NamedPoolSpec& pool) override;
    Result<model::Pool> update_pool(PoolId id, const model::PoolSpec& spec) override;
    Result<void> delete_pool(PoolId id) override;
    Result<model::Jail> put_in_pool(JailId jail, const model::Pool& pool) override;
    Result<model::Jail> take_from_pool(JailId jail) override;
    Result<model::Snapshot> insert_snapshot(const model::Snapshot& value) override;
    Result<model::Snapshot> finish_snapshot(SnapshotId id, const std::optional<model::SnapshotSize>& size) override;
    Result<model::Snapshot> mark_snapshot_removing(SnapshotId id) override;
    Result<void> delete_snapshot(SnapshotId id) override;
    Result<model::Jail> change_root(JailId id, const model::RootChange& change, const model::Snapshot& from) override;
    Result<model::Jail> begin_upgrade(JailId id, const model::RootChange& change, const model::Template& to) override;
    Result<model::Jail> begin_unpack(JailId id) override;
    Result<model::Jail> go_on_with_root(JailId id, model::RootStage stage) override;
    Result<model::Jail> end_root_change(JailId id) override;
    Result<model::Jail> undo_root_change(JailId id) override;
    Result<model::Operation> insert_operation(const model::Operation& operation) override;
    Result<void> update_operation(const model::Operation& operation) override;
    Result<EventSeq> append_event(std::string_view type, std::string_view jail, std::string_view operation,
                                  std::string_view data) override;
    Result<void> append_audit(const AuditEntry& entry) override;
    Result<void> remember(const std::string& principal, const std::string& key, const IdempotentReply& reply) override;

    /// The newest event that was appended; 0: none.
    [[nodiscard]] EventSeq newest_event() const { return newest_event_; }

private:
    /// After an error at which SQLite rolled the transaction back by itself, each further statement would be a
    /// transaction of its own: no change may go on.
    Result<void> still_open() const;

    Clock& clock_;
    const Retention& keep_;
    EventSeq newest_event_{};
};

}  // namespace jaild::store
