#include <nlohmann/json.hpp>

#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

using kernel::RuleCount;
using nlohmann::json;

/// What was counted for one place of the rules; a rule that is not loaded has counted nothing.
void add_count(json& object, const std::vector<RuleCount>& counts, bool ingress, RuleCount::Place place,
               std::size_t index) {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    for (const auto& one : counts) {
        if (one.ingress != ingress || one.place != place || one.index != index) continue;
        packets = one.packets;
        bytes = one.bytes;
    }
    object["packets"] = packets;
    object["bytes"] = bytes;
}

json rule_json(const kernel::FilterRule& rule) {
    json peer;
    if (const auto* group = std::get_if<std::string>(&rule.peer)) peer = *group;
    if (const auto* prefix = std::get_if<Prefix>(&rule.peer)) peer = prefix->to_string();
    json ports = json::array();
    for (const auto& one : rule.ports) ports.push_back(one.to_string());
    return {{"peer", std::move(peer)},
            {"protocol", rule.protocol ? json(model::to_string(*rule.protocol)) : json()},
            {"ports", std::move(ports)},
            {"action", model::to_string(rule.action)}};
}

json policy_json(const std::optional<kernel::Filter>& filter, bool ingress, const std::vector<RuleCount>& counts) {
    if (!filter) return {};
    json rules = json::array();
    for (std::size_t i = 0; i < filter->rules.size(); ++i) {
        auto rule = rule_json(filter->rules[i]);
        add_count(rule, counts, ingress, RuleCount::Place::rule, i);
        rules.push_back(std::move(rule));
    }
    json policy{{"rules", std::move(rules)}, {"default", model::to_string(filter->fallback)}};
    add_count(policy, counts, ingress, RuleCount::Place::fallback, 0);
    return policy;
}

json firewall_json(const reconcile::Reconciler::Rules& rules) {
    const auto& counts = rules.loaded.counts;
    json published = json::array();
    for (std::size_t i = 0; i < rules.wanted.publish.size(); ++i) {
        const auto& one = rules.wanted.publish[i];
        json entry{{"host", one.host_side()}, {"jail_port", one.jail_port.to_string()}};
        add_count(entry, counts, true, RuleCount::Place::published, i);
        published.push_back(std::move(entry));
    }
    json groups = json::array();
    for (const auto& group : rules.wanted.groups) {
        json members = json::array();
        for (const auto& member : group.members) members.push_back(member.to_string());
        groups.push_back({{"key", group.key}, {"members", std::move(members)}});
    }
    return {{"ingress", policy_json(rules.wanted.ingress, true, counts)},
            {"egress", policy_json(rules.wanted.egress, false, counts)},
            {"published", std::move(published)},
            {"groups", std::move(groups)},
            {"text", rules.loaded.text}};
}

}  // namespace

Answer get_firewall(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto rules = co_await offload_through(service.gates, name->key(), service.jail_pool,
                                          [&] { return service.supervisor.firewall(request.caller, *name); });
    if (!rules) co_return problem(rules.error());
    co_return answer_json(firewall_json(rules->value_or(reconcile::Reconciler::Rules{})));
}

}  // namespace jaild::api::v1
