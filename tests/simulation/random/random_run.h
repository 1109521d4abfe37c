#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jaild::simulation {

struct RunOptions {
    std::uint64_t seed = 1;
    std::size_t steps = 30;
    bool trace = false;  ///< to standard error: what users, hands and faults do, and each point
};

/// One random history: users, hands, faults and crashes; then calm, and what is wrong thereafter. The same seed plays
/// the same history everywhere.
std::vector<std::string> random_run(const RunOptions& options);

}  // namespace jaild::simulation
