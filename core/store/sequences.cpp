#include "core/store/sequences.h"

#include <algorithm>

namespace jaild::store {
namespace {

/// So many of each may have been given after a backup was made, without a trace in the state directory.
constexpr std::int64_t kMargin = 1'000;
/// Events come faster.
constexpr std::int64_t kEventMargin = 1'000'000;

}  // namespace

Result<UsedIds> sequences(Connection& connection) {
    UsedIds ids;
    auto statement = connection.prepare("SELECT name, seq FROM sqlite_sequence");
    for (;;) {
        auto more = statement.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) return ids;
        ids.insert_or_assign(statement.text(0), statement.integer(1));
    }
}

Result<void> raise_sequences(Connection& connection, const UsedIds& used) {
    auto own = sequences(connection);
    if (!own) return std::unexpected(own.error());
    for (const auto& [table, id] : used) {
        auto& highest = (*own)[table];
        highest = std::max(highest, id);
    }
    if (auto begun = connection.run("BEGIN IMMEDIATE"); !begun) return begun;
    Result<void> done;
    for (const auto& [table, id] : *own) {
        const auto next = id + (table == "events" ? kEventMargin : kMargin);
        if (done) done = connection.run("DELETE FROM sqlite_sequence WHERE name = ?1", std::string_view(table));
        if (done)
            done = connection.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", std::string_view(table),
                                  next);
    }
    if (done) done = connection.run("COMMIT");
    if (!done && connection.in_transaction()) (void)connection.run("ROLLBACK");
    return done;
}

}  // namespace jaild::store
