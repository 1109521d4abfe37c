#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace jaild::cli {

/// A number of a sample of stats by its place: "/cpu/usage_us"; nothing where the sample has none.
std::optional<std::uint64_t> number_at(const nlohmann::json& sample, const char* pointer);

/// "0.31s", "12.4s", "3m12s", "2h03m", "5d04h".
std::string duration_text(std::optional<std::uint64_t> microseconds);
/// size_text() of a number; "-" for none.
std::string bytes_text(std::optional<std::uint64_t> bytes);
std::string count_text(std::optional<std::uint64_t> count);

/// What one jail used between two samples of /v1/stats, by the second; nothing where either sample does not say, or
/// where the count began anew in between.
struct Load {
    std::string name;
    std::optional<double> cpu_percent{};  ///< of one processor
    std::optional<std::uint64_t> memory{};
    std::optional<std::uint64_t> memory_limit{};
    std::optional<std::uint64_t> processes{};
    std::optional<std::uint64_t> files{};
    std::optional<std::uint64_t> uptime_us{};
    std::optional<std::uint64_t> read{};  ///< bytes, like the three below
    std::optional<std::uint64_t> written{};
    std::optional<std::uint64_t> received{};
    std::optional<std::uint64_t> sent{};
};
/// Of the jails that live in the second sample; the first may be null.
std::vector<Load> loads(const nlohmann::json& before, const nlohmann::json& now);

enum class Order { cpu, memory, name, processes, io, network };
/// The greatest first, names by the alphabet; those of which it is not known come last.
void sort_by(std::vector<Load>& loads, Order order);
/// A table of them.
std::string to_table(const std::vector<Load>& loads);

}  // namespace jaild::cli
