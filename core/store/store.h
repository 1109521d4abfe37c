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
#include "core/base/unique_fd.h"
#include "core/store/reader.h"
#include "core/store/writer.h"

/// The desired state and its history in SQLite (WAL, synchronous=FULL).
namespace jaild::store {

/// How many of each are kept at least; older ones go (operations that run, or that a kept
/// idempotency key names, stay). At most 1/64 more are there at a time.
struct Retention {
    std::size_t events = 100'000;
    std::size_t operations = 10'000;
    std::size_t idempotency_keys = 10'000;
    std::size_t audit = 100'000;
};

struct StoreOptions {
    std::filesystem::path path;  ///< "<state>/jaild.db"; ":memory:" for the simulation (one connection then)
    std::string host_identity;   ///< of this machine; compared with the one the database was made on
    bool claim = false;          ///< take over a database that was made on another machine: new instance id
    Retention keep{};
    /// Where records are kept (record_keeper.h): "<state>/records"; empty: nowhere.
    std::filesystem::path records{};
    /// Records could not be written: from a thread of the store's own, once until they can be again.
    std::function<void(const Error&)> on_record_problem{};
};

/// Opened once per daemon. All methods block; any thread but the I/O one. A `work` must not call its Store again
/// (Errc::busy "nested_transaction"); what it throws becomes an Error. It runs once, and may be undone after it
/// succeeded: only write()'s own result counts.
class Store {
public:
    static constexpr std::size_t kKeptEvents = Retention{}.events;
    static constexpr std::size_t kKeptIdempotencyKeys = Retention{}.idempotency_keys;
    static constexpr std::size_t kKeptOperations = Retention{}.operations;
    static constexpr std::size_t kKeptAudit = Retention{}.audit;

    /// The directory of `path` must exist. Locks `<path>.lock` first (a second daemon: Errc::conflict "state_in_use"),
    /// then opens, migrates, runs quick_check. Errc::corrupt "database_corrupt"; Errc::unsupported "database_newer";
    /// Errc::conflict "state_of_other_host" with the way to claim it; Errc::denied "database_not_ours" (a symbolic
    /// link, another user's). Nothing is changed when any of these is returned.
    static Result<std::unique_ptr<Store>> open(const StoreOptions& options, Clock& clock);
    virtual ~Store() = default;

    [[nodiscard]] virtual const InstanceId& instance() const = 0;

    /// Runs `work` on the writer thread, in a savepoint of a transaction that it may share with others (group commit);
    /// returns after COMMIT. An Error from `work` undoes what it did, and is returned. Errc::exhausted "disk_full" or
    /// Errc::kernel when COMMIT fails: nothing of it was done.
    virtual Result<void> write(std::function<Result<void>(Writer&)> work) = 0;
    virtual Result<void> read(std::function<Result<void>(Reader&)> work) = 0;

    /// Called on the writer thread after each COMMIT that appended events, with the newest, before the callers of that
    /// COMMIT go on. Must not block nor call the store. Set before use.
    virtual void on_events(std::function<void(EventSeq)> listener) = 0;

    /// A copy of the whole as it is at this moment, in a file of its own without a name, to be read. Writers go on
    /// meanwhile. Errc::exhausted "disk_full"; Errc::unsupported "no_backup" of a store in memory.
    virtual Result<UniqueFd> back_up() {
        return std::unexpected(Error{.code = Errc::unsupported, .op = "back_up", .reason = "no_backup"});
    }
};

/// For functions that return a value:
/// `auto jail = store::read<model::Jail>(store, [&](Reader& reader) { return reader.jail(id); });`
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
