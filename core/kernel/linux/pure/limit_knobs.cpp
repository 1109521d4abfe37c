#include "core/kernel/linux/pure/limit_knobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/kernel/linux/pure/cgroup_texts.h"

namespace jaild::kernel::cgroups {
namespace {

constexpr std::int64_t kPage = 4096;  ///< the smallest there is
/// Less than that, and the OCI runtime, which starts in the jail's group, does not get to the jail's first process.
constexpr std::int64_t kLeastMemory = std::int64_t{16} << 20;
constexpr std::int64_t kMostMemory = std::int64_t{1} << 50;
constexpr std::int64_t kMostTasks = std::int64_t{1} << 22;       ///< PID_MAX_LIMIT of a 64-bit kernel
constexpr std::int64_t kMostOperations = std::int64_t{1} << 31;  ///< the kernel counts them in 32 bits
constexpr std::int64_t kPeriod = 100'000;                        ///< µs, in which a quota of processor time is for
constexpr std::int64_t kQuotaPerCent = kPeriod / 100;
constexpr std::int64_t kMostPerCent = 1'000'000;

std::int64_t least(std::string_view resource) {
    return resource == "memoryuse" ? kLeastMemory : 1;
}

std::int64_t most(std::string_view resource) {
    if (resource == "memoryuse") return kMostMemory;
    if (const auto* knob = knob_of(resource); knob != nullptr && knob->of_disk())
        return resource.ends_with("iops") ? kMostOperations : kMostMemory;
    return resource == "maxproc" ? kMostTasks - 1 : kMostPerCent;
}

/// Process 1 of a jail is ours, and does not count.
std::int64_t value_for(std::string_view resource, std::int64_t amount) {
    if (resource == "maxproc") return amount + 1;
    return resource == "pcpu" ? amount * kQuotaPerCent : amount;
}

std::string_view first_word(std::string_view text) {
    return text.substr(0, std::min(text.find_first_of(" \n"), text.size()));
}

Error unsupported(std::string field, std::string detail, std::string remedy) {
    return {.code = Errc::unsupported,
            .op = "limits",
            .detail = std::move(detail),
            .reason = "limits_unsupported",
            .field = std::move(field),
            .remedy = std::move(remedy)};
}

Knob disk_knob(std::string_view resource, std::string_view v1, std::string_view key) {
    return {.resource = resource, .controller = "blkio", .v1 = v1, .v2 = "io.max", .key = key};
}

std::string known_resources() {
    std::vector<std::string_view> names;
    for (const auto& knob : knobs()) names.push_back(knob.resource);
    names.emplace_back("openfiles");
    return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> check_knob(const std::string& resource, const model::Limit& limit) {
    const auto at = [&](std::string_view field) { return fmt::format("/{}/{}", resource, field); };
    const auto* knob = knob_of(resource);
    if (knob == nullptr)
        return std::unexpected(unsupported("/" + resource, "control groups of Linux do not limit " + resource,
                                           "leave it out; there are " + known_resources()));
    const std::string_view action = knob->of_disk() ? "throttle" : "deny";
    if (limit.action != action)
        return std::unexpected(
            unsupported(at("action"), fmt::format("control groups of Linux {} {}, and nothing else", action, resource),
                        fmt::format("leave \"action\" out, or say \"{}\"", action)));
    if (limit.per != "jail")
        return std::unexpected(unsupported(at("per"), "control groups of Linux count what a whole jail uses",
                                           R"(leave "per" out, or say "jail")"));
    if (limit.amount < least(resource) || limit.amount > most(resource))
        return std::unexpected(Error::invalid("invalid_value", at("amount"),
                                              fmt::format("on Linux from {} to {}", least(resource), most(resource))));
    return {};
}

}  // namespace

const std::vector<Knob>& knobs() {
    static const std::vector<Knob> all{
        {.resource = "maxproc", .controller = "pids", .v1 = "pids.max", .v2 = "pids.max"},
        {.resource = "memoryuse", .controller = "memory", .v1 = "memory.limit_in_bytes", .v2 = "memory.max"},
        {.resource = "pcpu", .controller = "cpu", .v1 = "cpu.cfs_quota_us", .v2 = "cpu.max"},
        disk_knob("readbps", "blkio.throttle.read_bps_device", "rbps"),
        disk_knob("readiops", "blkio.throttle.read_iops_device", "riops"),
        disk_knob("writebps", "blkio.throttle.write_bps_device", "wbps"),
        disk_knob("writeiops", "blkio.throttle.write_iops_device", "wiops")};
    return all;
}

const Knob* knob_of(std::string_view resource) {
    const auto found = std::ranges::find(knobs(), resource, &Knob::resource);
    return found == knobs().end() ? nullptr : &*found;
}

std::string knob_text(const Knob& knob, Version version, std::optional<std::int64_t> amount) {
    if (amount) {
        const auto value = std::to_string(value_for(knob.resource, *amount));
        return knob.v2 == "cpu.max" && version == Version::v2 ? value + " " + std::to_string(kPeriod) : value;
    }
    if (knob.resource == "maxproc") return std::to_string(kTasks);
    return version == Version::v1 ? "-1" : "max";
}

std::optional<model::LimitRule> knob_rule(const Knob& knob, std::string_view text, const model::Limits& asked) {
    const auto limit = limit_in(first_word(text));
    if (!limit) return std::nullopt;  // "max", "-1", or what version 1 says instead
    const auto value = static_cast<std::int64_t>(*limit);
    const auto found = asked.find(std::string(knob.resource));
    if (found != asked.end()) {
        const auto wanted = value_for(knob.resource, found->second.amount);
        const auto precision = knob.resource == "memoryuse" ? 16 * kPage : 1;  // pages may be larger
        if (value <= wanted && value > wanted - precision) return model::LimitRule{found->first, found->second};
    }
    if (knob.resource == "maxproc" && value == kTasks) return std::nullopt;
    auto amount = value;
    if (knob.resource == "maxproc") amount = value - 1;
    if (knob.resource == "pcpu") amount = value / kQuotaPerCent;
    return model::LimitRule{.resource = std::string(knob.resource), .limit = {.amount = amount, .action = "deny"}};
}

Result<void> check_knobs(const model::Limits& limits) {
    for (const auto& [resource, limit] : limits)
        if (auto good = check_knob(resource, limit); !good) return good;
    return {};
}

nlohmann::json oci_limits(const model::Limits& limits) {
    nlohmann::json resources{{"pids", {{"limit", kTasks}}}};
    for (const auto& [resource, limit] : limits) {
        const auto value = value_for(resource, limit.amount);
        if (resource == "maxproc") resources["pids"] = {{"limit", value}};
        if (resource == "memoryuse") resources["memory"] = {{"limit", value}};
        if (resource == "pcpu") resources["cpu"] = {{"quota", value}, {"period", kPeriod}};
    }
    return resources;
}

}  // namespace jaild::kernel::cgroups
