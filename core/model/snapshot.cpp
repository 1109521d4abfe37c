#include "core/model/snapshot.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/ascii.h"
#include "core/model/fields.h"

namespace jaild::model {

using nlohmann::json;

std::string_view to_string(SnapshotState state) {
    switch (state) {
        case SnapshotState::creating:
            return "creating";
        case SnapshotState::ready:
            return "ready";
        case SnapshotState::removing:
            return "removing";
    }
    return "unknown";
}

std::string_view to_string(SnapshotReason reason) {
    switch (reason) {
        case SnapshotReason::request:
            return "request";
        case SnapshotReason::restore:
            return "restore";
        case SnapshotReason::upgrade:
            return "upgrade";
        case SnapshotReason::transfer:
            return "export";
        case SnapshotReason::schedule:
            return "schedule";
    }
    return "unknown";
}

std::optional<SnapshotReason> parse_snapshot_reason(std::string_view text) {
    using enum SnapshotReason;
    for (const auto reason : {request, restore, upgrade, transfer, schedule})
        if (to_string(reason) == text) return reason;
    return std::nullopt;
}

std::string_view to_string(RootStage stage) {
    switch (stage) {
        case RootStage::unpack:
            return "unpack";
        case RootStage::restore:
            return "restore";
        case RootStage::snapshot:
            return "snapshot";
        case RootStage::merge:
            return "merge";
        case RootStage::trial:
            return "trial";
    }
    return "unknown";
}

std::optional<RootStage> parse_root_stage(std::string_view text) {
    using enum RootStage;
    for (const auto stage : {unpack, restore, snapshot, merge, trial})
        if (to_string(stage) == text) return stage;
    return std::nullopt;
}

json to_json(const Snapshot& snapshot) {
    return {{"name", snapshot.name},
            {"jail", snapshot.jail_name},
            {"reference", snapshot.reference()},
            {"state", to_string(snapshot.state)},
            {"reason", to_string(snapshot.reason)},
            {"series", snapshot.series.empty() ? json() : json(snapshot.series)},
            {"description", snapshot.description},
            {"template", snapshot.template_name},
            {"entries", snapshot.size ? json(snapshot.size->entries) : json()},
            {"bytes", snapshot.size ? json(snapshot.size->bytes) : json()},
            {"created_at", snapshot.created_at.to_string()}};
}

Result<void> check_snapshot_name(std::string_view name, const std::string& at) {
    const auto refused = [&](const char* why) { return std::unexpected(Error::invalid("invalid_name", at, why)); };
    if (name.empty()) return refused("the name of a snapshot is not empty");
    if (name.size() > SnapshotLimits::name_bytes) return refused("the name of a snapshot has at most 63 characters");
    if (!is_alphanumeric(name.front())) return refused("the name of a snapshot begins with a letter or a digit");
    const auto fits = [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '+' || c == '-'; };
    if (!std::ranges::all_of(name, fits))
        return refused("the name of a snapshot holds letters, digits, \".\", \"_\", \"+\" and \"-\" only");
    return {};
}

std::string snapshot_name_of(UtcTime at) {
    std::string name;
    for (const char c : at.to_string().substr(0, std::string_view("2026-11-22T19:15:00").size())) {
        if (c == 'T') name += '-';
        if (is_digit(c)) name += c;
    }
    return name;
}

Result<SnapshotRequest> parse_snapshot_request(const json& object) {
    SnapshotRequest request;
    Fields fields(object, "");
    fields.read("name", [&](const json& value, const std::string& at) -> Result<void> {
        auto name = read_text(value, at, SnapshotLimits::name_bytes);
        if (!name) return std::unexpected(name.error());
        if (auto good = check_snapshot_name(*name, at); !good) return good;
        request.name = *std::move(name);
        return {};
    });
    fields.text("description", request.description, SnapshotLimits::description_bytes);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return request;
}

}  // namespace jaild::model
