#include "core/reconcile/vitals.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/reconcile/apply.h"
#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

using model::HealthState;
using model::ProbeKind;

/// Of jails that are found at work: a thousand of them are not asked at once.
constexpr Milliseconds kSpread{1'000};
constexpr std::uint16_t kHttpPort = 80;

bool is_patient(const model::Jail& held, const Observed& observed) {
    if (!held.spec.health || !wanted(held) || held.root_change || !observed.applied.complete) return false;
    if (!alive(observed) || situation(held, observed) != Situation::continues) return false;
    return held.spec.command.empty() || observed.shim->command == kernel::CommandState::running;
}

bool asks_the_same(const model::HealthSpec& one, const model::HealthSpec& other) {
    return one.kind == other.kind && one.argv == other.argv && one.port == other.port && one.path == other.path;
}

/// The first of those that were seen, or else were given out, which the host can reach.
std::optional<IpAddress> address_of(const model::Jail& held, const std::vector<model::Network>& networks,
                                    const Observed& observed, bool from_within) {
    const auto loopback = [] { return *IpAddress::parse("127.0.0.1"); };
    const auto mode = held.spec.network.mode;
    if (mode == model::NetworkMode::inherit || mode == model::NetworkMode::none) return loopback();
    if (mode == model::NetworkMode::alias) {
        const auto all = held.addresses();
        return all.empty() ? std::nullopt : std::optional(all.front().address);
    }
    for (unsigned index = 0; index < held.interfaces.size(); ++index) {
        const auto link = std::ranges::find(observed.links, index, [](const auto& one) { return one.id.index; });
        const bool seen = link != observed.links.end() && !link->addresses.empty();
        const auto network = std::ranges::find(networks, held.interfaces[index].network, &model::Network::id);
        for (const auto& one : seen ? link->addresses : held.interfaces[index].addresses)
            if (from_within || (network != networks.end() && network->is_gateway(one.address.family)))
                return one.address;
    }
    return std::nullopt;
}

std::string host_header(const model::Jail& held) {
    const auto& spec = *held.spec.health;
    if (!spec.host.empty()) return spec.host;
    const auto name = hostname_of(held);
    return spec.port == kHttpPort ? name : fmt::format("{}:{}", name, spec.port);
}

}  // namespace

void Vitals::start(std::function<void(JailId)> on_change) {
    on_change_ = std::move(on_change);
    prober_ = std::make_unique<health::Prober>(
        kernel_,
        [this](const health::Target& target, const health::Outcome& outcome) { return probed(target.id, outcome); });
}

void Vitals::stop() {
    if (prober_) prober_->stop();
}

health::Target Vitals::target_of(const model::Jail& held, const std::vector<model::Network>& networks,
                                 const Observed& observed) const {
    health::Target target{.id = held.id, .life = life_of(observed), .spec = *held.spec.health};
    if (target.spec.kind == ProbeKind::exec) {
        target.program = program_of(held, target.spec.argv);
        return target;
    }
    target.address = address_of(held, networks, observed, kernel_.reach().from_within());
    if (target.spec.kind == ProbeKind::http) target.host = host_header(held);
    return target;
}

void Vitals::look(const model::Jail& row, const std::vector<model::Network>& networks, const Observed& observed,
                  health::Begin begin) {
    if (!row.spec.health) return forget(row.id);
    const auto held = effective(row, observed).jail;
    if (!is_patient(held, observed)) return forget(held.id);
    auto target = target_of(held, networks, observed);
    {
        const std::lock_guard lock(mutex_);
        const auto known = patients_.find(held.id);
        const bool same_life = known != patients_.end() && known->second.target.life == target.life;
        if (same_life && asks_the_same(known->second.target.spec, target.spec)) {
            known->second.target = target;
        } else {
            // Another question to a jail that runs: it has time to learn the answer.
            const auto how = same_life ? health::Begin::fresh : begin;
            patients_.insert_or_assign(
                held.id, Patient{.target = target,
                                 .record = health::Record(how, clock_.monotonic(), clock_.utc()),
                                 .told = how == health::Begin::fresh ? HealthState::starting : HealthState::healthy});
        }
    }
    if (prober_) prober_->follow(target, begin == health::Begin::fresh ? Milliseconds{0} : kSpread);
}

void Vitals::forget(JailId id) {
    {
        const std::lock_guard lock(mutex_);
        if (patients_.erase(id) == 0) return;
    }
    if (prober_) prober_->forget(id);
}

void Vitals::add(const model::Jail& row, Observed& observed) const {
    observed.unhealthy.reset();
    if (!row.spec.health || !row.spec.health->restart) return;
    const std::lock_guard lock(mutex_);
    const auto known = patients_.find(row.id);
    if (known == patients_.end() || known->second.target.life != life_of(observed)) return;
    const auto& status = known->second.record.status();
    if (status.state != HealthState::unhealthy) return;
    observed.unhealthy = model::LastExit{
        .reason = std::string(model::kUnhealthy), .at = status.since, .ran = known->second.record.ran()};
}

std::optional<model::HealthStatus> Vitals::status(JailId id, const Observed& observed) const {
    const std::lock_guard lock(mutex_);
    const auto known = patients_.find(id);
    if (known == patients_.end() || known->second.target.life != life_of(observed)) return std::nullopt;
    return known->second.record.status();
}

std::optional<model::HealthStatus> Vitals::news(JailId id) const {
    const std::lock_guard lock(mutex_);
    const auto known = patients_.find(id);
    if (known == patients_.end()) return std::nullopt;
    const auto& status = known->second.record.status();
    if (status.state == HealthState::starting || status.state == known->second.told) return std::nullopt;
    return status;
}

void Vitals::told(JailId id, HealthState state) {
    const std::lock_guard lock(mutex_);
    if (const auto known = patients_.find(id); known != patients_.end()) known->second.told = state;
}

Milliseconds Vitals::probed(JailId id, const health::Outcome& outcome) {
    model::HealthStatus status;
    bool changed = false;
    Milliseconds next{0};
    {
        const std::lock_guard lock(mutex_);
        const auto known = patients_.find(id);
        if (known == patients_.end()) return model::HealthSpec{}.interval;
        auto& patient = known->second;
        const auto before = patient.record.status().state;
        const auto now = clock_.monotonic();
        patient.record.count(patient.target.spec, outcome, now, clock_.utc());
        status = patient.record.status();
        changed = status.state != before;
        next = patient.record.next(patient.target.spec, now);
    }
    board_.set_health(id, status);
    if (changed && on_change_) on_change_(id);
    return next;
}

}  // namespace jaild::reconcile
