#include "core/store/events.h"

#include <fmt/format.h>

#include "core/store/retention.h"

namespace jaild::store::events {
namespace {

/// Columns: seq, at, type, jail, operation, data.
Result<model::Event> from_row(const Statement& row) {
    return model::Event{.seq = EventSeq{row.integer(0)},
                        .at = UtcTime{row.integer(1)},
                        .type = row.text(2),
                        .jail = row.text(3),
                        .operation = row.text(4),
                        .data = row.text(5)};
}

/// A client that asks for what was pruned, or for what comes after an event that this database never had (it was put
/// back from a copy), has missed something and must be told.
Result<void> check_kept(Connection& connection, EventSeq after) {
    if (after.value == 0) return {};
    auto newest = last(connection);
    if (!newest) return std::unexpected(newest.error());
    auto oldest = first_integer(connection.prepare("SELECT seq FROM events ORDER BY seq LIMIT 1"));
    if (!oldest) return std::unexpected(oldest.error());
    if (after <= *newest && after.value >= oldest->value_or(1) - 1) return {};
    return std::unexpected(Error{.code = Errc::not_found,
                                 .op = "read_events",
                                 .detail = fmt::format("events after {} are not kept; the oldest is {}, the newest {}",
                                                       after.value, oldest->value_or(0), newest->value),
                                 .reason = "events_gone",
                                 .remedy = "read the present state, then follow the events from the newest on"});
}

}  // namespace

Result<std::vector<model::Event>> after(Connection& connection, EventSeq after, std::size_t limit) {
    if (auto kept = check_kept(connection, after); !kept) return std::unexpected(kept.error());
    return all_rows<model::Event>(
        connection.prepare(
            "SELECT seq, at, type, jail, operation, data FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2", after.value,
            as_limit(limit)),
        from_row);
}

Result<std::vector<model::Event>> of_jail(Connection& connection, std::string_view jail, std::size_t last) {
    return all_rows<model::Event>(
        connection.prepare("SELECT * FROM (SELECT seq, at, type, jail, operation, data FROM events"
                           " WHERE jail = ?1 AND jail <> '' ORDER BY seq DESC LIMIT ?2) ORDER BY seq",
                           jail, as_limit(last)),
        from_row);
}

Result<EventSeq> last(Connection& connection) {
    auto newest = first_integer(connection.prepare("SELECT seq FROM events ORDER BY seq DESC LIMIT 1"));
    if (!newest) return std::unexpected(newest.error());
    return EventSeq{newest->value_or(0)};
}

Result<EventSeq> append(Connection& connection, const NewEvent& event, UtcTime now, std::size_t keep) {
    const std::string_view data = event.data.empty() ? "{}" : event.data;
    // Not a CHECK of the table: with trusted_schema=OFF a schema may not call json_valid().
    auto done = connection.run(
        "INSERT INTO events (at, type, jail, operation, data) SELECT ?1, ?2, ?3, ?4, ?5 WHERE json_valid(?5)",
        now.milliseconds, event.type, event.jail, event.operation, data);
    if (!done) return std::unexpected(done.error());
    if (connection.changes() == 0) {
        return std::unexpected(Error::invalid("invalid_event_data", "", "the data of an event is not JSON"));
    }
    const EventSeq seq{connection.last_insert_id()};
    if (prune_is_due(seq.value, keep)) {
        auto pruned = connection.run("DELETE FROM events WHERE seq <= ?1", prune_up_to(seq.value, keep));
        if (!pruned) return std::unexpected(pruned.error());
    }
    return seq;
}

}  // namespace jaild::store::events
