#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model/operation.h"
#include "core/store/connection.h"

namespace jaild::store::events {

Result<std::vector<model::Event>> after(Connection& connection, EventSeq after, std::size_t limit);
Result<std::vector<model::Event>> of_jail(Connection& connection, std::string_view jail, std::size_t last);
Result<EventSeq> last(Connection& connection);

/// What Writer::append_event is given.
struct NewEvent {
    std::string_view type;
    std::string_view jail;
    std::string_view operation;
    std::string_view data;
};
Result<EventSeq> append(Connection& connection, const NewEvent& event, UtcTime now, std::size_t keep);

}  // namespace jaild::store::events
