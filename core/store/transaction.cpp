#include "core/store/transaction.h"

#include <algorithm>
#include <exception>

#include "core/store/session.h"

namespace jaild::store {
namespace {

/// The root that catches what a work function throws: it must end neither the writer thread nor a transaction halfway.
template <class Session, class Work>
Result<void> call(const Work& work, Session& session) {
    try {
        return work(session);
    } catch (const std::exception& thrown) {
        return std::unexpected(Error{
            .code = Errc::kernel, .op = "store_work", .detail = std::string("unexpected exception: ") + thrown.what()});
    } catch (...) {
        return std::unexpected(Error{.code = Errc::kernel, .op = "store_work", .detail = "unexpected exception"});
    }
}

/// A change that was fine by itself fails with its transaction; one that failed keeps its own reason.
void fail_all(std::span<Change* const> changes, const Error& error) {
    for (Change* change : changes) {
        if (change->result) change->result = std::unexpected(error);
    }
}

}  // namespace

EventSeq GroupCommit::run(std::span<Change* const> changes) {
    committed_ = {};
    while (!changes.empty()) changes = changes.subspan(run_transaction(changes));
    return committed_;
}

/// Returns how many have their result: all, or those up to one at which SQLite rolled back by itself.
std::size_t GroupCommit::run_transaction(std::span<Change* const> changes) {
    if (auto begun = connection_.run("BEGIN IMMEDIATE"); !begun) {
        fail_all(changes, begun.error());
        return changes.size();
    }
    EventSeq newest{};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        changes[i]->result = run_one(*changes[i], newest);
        if (connection_.in_transaction()) continue;
        // A full disk or an I/O error took the changes before it along (https://www.sqlite.org/lang_transaction.html
        // §3).
        fail_all(changes.first(i),
                 changes[i]->result ? Error{.code = Errc::kernel, .op = "transaction"} : changes[i]->result.error());
        return i + 1;
    }
    if (auto committed = connection_.run("COMMIT"); !committed) {
        if (connection_.in_transaction()) (void)connection_.run("ROLLBACK");
        fail_all(changes, committed.error());
        return changes.size();
    }
    committed_ = std::max(committed_, newest);
    return changes.size();
}

Result<void> GroupCommit::run_one(Change& change, EventSeq& newest) {
    WriteSession session(connection_, clock_, keep_);
    auto done = in_savepoint(connection_, [&] { return call(change.work, static_cast<Writer&>(session)); });
    if (done) newest = std::max(newest, session.newest_event());
    return done;
}

Result<void> run_read(Connection& connection, const std::function<Result<void>(Reader&)>& work) {
    if (auto begun = connection.run("BEGIN"); !begun) return begun;
    ReadSession<Reader> session(connection);
    auto done = call(work, static_cast<Reader&>(session));
    auto ended = connection.run("COMMIT");
    if (!ended && connection.in_transaction()) (void)connection.run("ROLLBACK");
    return done ? ended : done;
}

}  // namespace jaild::store
