#include "cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;
using Count = std::optional<std::uint64_t>;

constexpr double kMicroseconds = 1e6;

const json* find_jail(const json& sample, const std::string& name) {
    if (!sample.is_object()) return nullptr;
    for (const auto& item : sample.at("items"))
        if (item.at("name") == name) return &item;
    return nullptr;
}

/// How much more than before.
std::optional<double> growth(const json* before, const json& now, const char* pointer) {
    const auto old_count = before ? number_at(*before, pointer) : std::nullopt;
    const auto new_count = number_at(now, pointer);
    if (!old_count || !new_count || *new_count < *old_count) return std::nullopt;
    return static_cast<double>(*new_count - *old_count);
}

Count sum(Count one, Count other) {
    if (!one && !other) return std::nullopt;
    return one.value_or(0) + other.value_or(0);
}

std::string rate_text(Count bytes) {
    return bytes ? bytes_text(bytes) + "/s" : "-";
}

}  // namespace

Count number_at(const json& sample, const char* pointer) {
    const json::json_pointer place(pointer);
    if (!sample.contains(place) || !sample.at(place).is_number_unsigned()) return std::nullopt;
    return sample.at(place).get<std::uint64_t>();
}

std::string duration_text(Count microseconds) {
    if (!microseconds) return "-";
    const auto seconds = *microseconds / 1'000'000;
    const auto part = static_cast<double>(*microseconds) / kMicroseconds;
    if (seconds < 10) return fmt::format("{:.2f}s", part);
    if (seconds < 60) return fmt::format("{:.1f}s", part);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

std::string bytes_text(Count bytes) {
    return size_text(bytes ? json(*bytes) : json());
}

std::string count_text(Count count) {
    return count ? std::to_string(*count) : "-";
}

std::vector<Load> loads(const json& before, const json& now) {
    std::vector<Load> all;
    const auto elapsed = before.is_object() ? growth(&before, now, "/monotonic_us") : std::nullopt;
    const double seconds = elapsed.value_or(0) / kMicroseconds;
    for (const auto& jail : now.at("items")) {
        if (!jail.contains("cpu") && !jail.contains("memory")) continue;
        const auto name = jail.at("name").get<std::string>();
        const auto* const was = seconds > 0 ? find_jail(before, name) : nullptr;
        const auto rate = [&](const char* pointer) -> Count {
            const auto more = growth(was, jail, pointer);
            return more ? Count(static_cast<std::uint64_t>(*more / seconds)) : std::nullopt;
        };
        Load load{.name = name,
                  .memory = number_at(jail, "/memory/bytes"),
                  .memory_limit = number_at(jail, "/memory/limit_bytes"),
                  .processes = number_at(jail, "/processes/count"),
                  .files = number_at(jail, "/files/open"),
                  .read = rate("/io/read_bytes"),
                  .written = rate("/io/write_bytes"),
                  .received = rate("/network/rx_bytes"),
                  .sent = rate("/network/tx_bytes")};
        if (const auto used = growth(was, jail, "/cpu/usage_us"))
            load.cpu_percent = *used / (seconds * kMicroseconds) * 100;
        if (const auto up = number_at(jail, "/uptime_seconds")) load.uptime_us = *up * 1'000'000;
        all.push_back(std::move(load));
    }
    return all;
}

void sort_by(std::vector<Load>& loads, Order order) {
    const auto key = [order](const Load& load) -> std::optional<double> {
        const auto number = [](Count count) {
            return count ? std::optional(static_cast<double>(*count)) : std::nullopt;
        };
        switch (order) {
            case Order::cpu:
                return load.cpu_percent;
            case Order::memory:
                return number(load.memory);
            case Order::processes:
                return number(load.processes);
            case Order::io:
                return number(sum(load.read, load.written));
            case Order::network:
                return number(sum(load.received, load.sent));
            case Order::name:
                break;
        }
        return std::nullopt;
    };
    std::ranges::sort(loads, {}, &Load::name);
    std::ranges::stable_sort(loads, [&key](const Load& one, const Load& other) { return key(one) > key(other); });
}

std::string to_table(const std::vector<Load>& loads) {
    Table table({"NAME", "CPU%", "MEMORY", "LIMIT", "PROCS", "FILES", "READ", "WRITE", "RX", "TX", "UP"});
    for (const auto& load : loads)
        table.add({load.name, load.cpu_percent ? fmt::format("{:.1f}", *load.cpu_percent) : "-",
                   bytes_text(load.memory), bytes_text(load.memory_limit), count_text(load.processes),
                   count_text(load.files), rate_text(load.read), rate_text(load.written), rate_text(load.received),
                   rate_text(load.sent), duration_text(load.uptime_us)});
    return table.to_string();
}

}  // namespace jaild::cli
