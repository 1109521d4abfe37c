#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/model/jail.h"
#include "core/model/network.h"
#include "core/model/operation.h"

/// The desired state and its history in SQLite (WAL, synchronous=FULL).
namespace jaild::store {

struct StoreOptions {
    std::filesystem::path path;  ///< "<state>/jaild.db"; ":memory:" for the simulation (one connection then)
    std::string host_identity;   ///< of this machine; compared with the one the database was made on
    bool claim = false;          ///< take over a database that was made on another machine: new instance id
};

struct JailFilter {
    std::optional<std::string> template_name{};
    std::vector<std::pair<std::string, std::string>> labels{};
    JailId after{};          ///< ids greater than this one
    std::size_t limit = 100;
};

struct AuditEntry {
    std::string principal;  ///< "uid:0", "token:ci"
    std::string action;     ///< "jail.create"
    std::string object;     ///< name
    std::string outcome;    ///< "accepted", "denied"
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
    virtual Result<std::vector<model::Jail>> jails(const JailFilter& filter) = 0;
    /// All, those being removed too: for the reconciler.
    virtual Result<std::vector<model::Jail>> all_jails() = 0;
    virtual Result<model::Network> network(const std::string& name) = 0;
    virtual Result<std::vector<model::Network>> networks() = 0;
    virtual Result<model::Operation> operation(const std::string& id) = 0;
    /// Operations of a jail that have not ended.
    virtual Result<std::vector<model::Operation>> running_operations(JailId jail) = 0;
    /// After `after`, oldest first. Errc::not_found "events_gone" when `after` was pruned away.
    virtual Result<std::vector<model::Event>> events(EventSeq after, std::size_t limit) = 0;
    virtual Result<std::vector<model::Event>> events_of(const std::string& jail, std::size_t last) = 0;
    virtual Result<EventSeq> last_event() = 0;
    virtual Result<std::optional<IdempotentReply>> idempotent(const std::string& principal, const std::string& key) = 0;
};

/// Changes, all in one transaction with the other calls of the same function.
class Writer : public Reader {
public:
    /// Inserts with generation 1. Errc::conflict "name_in_use" (also while a removed jail's residue is left),
    /// "path_in_use" when another jail has the same `path` root, the same directory under another spelling included
    /// only as far as the text shows. Addresses: static ones first, then the lowest free of each network; Errc::invalid
    /// "address_outside", "address_is_gateway"; Errc::conflict "address_in_use"; Errc::exhausted "addresses_exhausted".
    virtual Result<model::Jail> insert_jail(const model::NamedSpec& spec) = 0;
    /// A new spec under generation + 1; addresses follow it (a static address given, a mode changed).
    virtual Result<model::Jail> update_jail(JailId id, const model::JailSpec& spec) = 0;
    /// incarnation + 1.
    virtual Result<model::Jail> request_restart(JailId id) = 0;
    virtual Result<model::Jail> mark_removing(JailId id) = 0;
    /// Nothing is left of it: row and addresses go, the name is free.
    virtual Result<void> delete_jail(JailId id) = 0;

    /// For the first start.
    virtual Result<model::Network> insert_network(const model::Network& network) = 0;

    virtual Result<model::Operation> insert_operation(const model::Operation& operation) = 0;  ///< id, created_at filled in
    virtual Result<void> update_operation(const model::Operation& operation) = 0;
    /// `data`: a JSON object as text. Oldest are pruned beyond kKeptEvents.
    virtual Result<EventSeq> append_event(std::string_view type, std::string_view jail, std::string_view operation,
                                          std::string_view data) = 0;
    virtual Result<void> append_audit(const AuditEntry& entry) = 0;
    virtual Result<void> remember(const std::string& principal, const std::string& key, const IdempotentReply& reply) = 0;
};

/// Opened once per daemon. All methods block; any thread but the I/O one.
class Store {
public:
    static constexpr std::size_t kKeptEvents = 100'000;
    static constexpr std::size_t kKeptIdempotencyKeys = 10'000;
    static constexpr std::size_t kKeptOperations = 10'000;

    /// Locks `<path>.lock` first (a second daemon: Errc::conflict "state_in_use"), then opens, migrates, runs quick_check.
    /// Errc::corrupt "database_corrupt"; Errc::unsupported "database_newer"; Errc::conflict "state_of_other_host" with
    /// the way to claim it. Nothing is changed when any of these is returned.
    static Result<std::unique_ptr<Store>> open(const StoreOptions& options, Clock& clock);
    virtual ~Store() = default;

    [[nodiscard]] virtual const InstanceId& instance() const = 0;

    /// Runs `work` on the writer thread, in a savepoint of a transaction that it may share with others (group commit);
    /// returns after COMMIT. An Error from `work` undoes what it did, and is returned.
    virtual Result<void> write(std::function<Result<void>(Writer&)> work) = 0;
    virtual Result<void> read(std::function<Result<void>(Reader&)> work) = 0;

    /// Called on the writer thread after each COMMIT that appended events, with the newest. Must not block. Set before use.
    virtual void on_events(std::function<void(EventSeq)> listener) = 0;
};

/// For functions that return a value: `auto jail = store::read<model::Jail>(store, [&](Reader& r) { return r.jail(id); });`
template <class T, class F>
Result<T> read(Store& store, F&& work) {
    Result<T> value = std::unexpected(Error{.code = Errc::corrupt, .op = "read"});
    auto done = store.read([&](Reader& reader) -> Result<void> {
        value = work(reader);
        if (!value) return std::unexpected(value.error());
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return value;
}

template <class T, class F>
Result<T> write(Store& store, F&& work) {
    Result<T> value = std::unexpected(Error{.code = Errc::corrupt, .op = "write"});
    auto done = store.write([&](Writer& writer) -> Result<void> {
        value = work(writer);
        if (!value) return std::unexpected(value.error());
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return value;
}

}  // namespace jaild::store
