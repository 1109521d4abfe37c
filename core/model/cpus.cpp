#include "core/model/cpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/model/fields.h"

namespace jaild::model {
namespace {

constexpr std::size_t kTextBytes = 4096;

std::optional<unsigned> cpu_number(std::string_view text) {
    unsigned number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || failed != std::errc{} || end != text.data() + text.size() || number >= kMostCpus)
        return std::nullopt;
    return number;
}

/// "3" or "0-3".
bool add_range(std::string_view text, Cpus& cpus) {
    const auto dash = text.find('-');
    const auto first = cpu_number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : cpu_number(text.substr(dash + 1));
    if (!first || !last || *last < *first) return false;
    for (auto cpu = *first; cpu <= *last; ++cpu) cpus.insert(cpu);
    return true;
}

}  // namespace

std::optional<Cpus> parse_cpus(std::string_view text) {
    Cpus cpus;
    for (bool more = true; more;) {
        const auto comma = text.find(',');
        if (!add_range(text.substr(0, comma), cpus)) return std::nullopt;
        more = comma != std::string_view::npos;
        if (more) text.remove_prefix(comma + 1);
    }
    return cpus;
}

std::string to_string(const Cpus& cpus) {
    std::string text;
    for (auto at = cpus.begin(); at != cpus.end();) {
        const auto first = *at;
        auto last = first;
        while (++at != cpus.end() && *at == last + 1) last = *at;
        if (!text.empty()) text += ',';
        text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
    }
    return text;
}

Result<std::string> parse_cpuset(const nlohmann::json& value, const std::string& at) {
    auto text = read_text(value, at, kTextBytes);
    if (!text || text->empty()) return text;
    const auto cpus = parse_cpus(*text);
    if (cpus) return to_string(*cpus);
    return std::unexpected(Error::invalid(
        "invalid_value", at, fmt::format("processors like \"0-3,6\", from 0 to {}, or \"\" for all", kMostCpus - 1)));
}

}  // namespace jaild::model
