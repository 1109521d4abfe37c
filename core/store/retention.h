#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

/// When rows of a table with growing numbers are pruned. Numbers have no gaps: AUTOINCREMENT takes a number back when
/// its transaction is undone.
namespace jaild::store {

/// True after every 64th part of `keep`: pruning costs little, and at most that much more is there at a time.
inline bool prune_is_due(std::int64_t newest, std::size_t keep) {
    const auto batch = std::max<std::int64_t>(1, static_cast<std::int64_t>(keep / 64));
    return newest % batch == 0;
}

/// The highest number that may go.
inline std::int64_t prune_up_to(std::int64_t newest, std::size_t keep) {
    return newest - static_cast<std::int64_t>(keep);
}

/// For LIMIT.
inline std::int64_t as_limit(std::size_t count) {
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
    return static_cast<std::int64_t>(std::min(count, most));
}

}  // namespace jaild::store
