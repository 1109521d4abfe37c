#include "core/reconcile/lifetimes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace jaild::reconcile {
namespace {

constexpr std::string_view kTtl = "ttl";

/// As its row has it by now.
bool is_over(const model::Jail& row, const Lifetimes::Expired& what, Milliseconds now) {
    if (what.why == kTtl) return row.spec.ttl.count() > 0 && !row.pool && row.since + row.spec.ttl <= now;
    return row.spec.ephemeral && row.generation == what.generation && row.incarnation == what.incarnation;
}

/// As a removal that a client asks for.
Result<void> write_removal(store::Writer& writer, const model::Jail& row, std::string_view why) {
    auto going = writer.mark_removing(row.id);
    if (!going) return std::unexpected(going.error());
    auto operation = writer.insert_operation({.id = {},
                                              .kind = "remove",
                                              .jail = row.id,
                                              .jail_name = row.name.text(),
                                              .generation = row.generation,
                                              .incarnation = row.incarnation});
    if (!operation) return std::unexpected(operation.error());
    const nlohmann::json data{{"generation", row.generation}, {"by", "jaild"}, {"why", why}};
    if (auto event = writer.append_event("jail.removing", row.name.text(), operation->id, data.dump()); !event)
        return std::unexpected(event.error());
    return writer.append_audit(
        {.principal = "jaild", .action = "jail.remove", .object = row.name.text(), .outcome = "accepted"});
}

}  // namespace

Lifetimes::Hold::~Hold() {
    if (const auto all = all_.lock()) all->release(id_);
}

std::optional<Lifetimes::Hold> Lifetimes::hold(const std::shared_ptr<Lifetimes>& all, JailId id) {
    const std::lock_guard lock(all->mutex_);
    auto& life = all->life(id);
    if (life.claimed) return std::nullopt;
    ++life.holds;
    return Hold(all, id);
}

void Lifetimes::release(JailId id) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = lives_.find(id);
        if (found == lives_.end() || found->second.holds == 0) return;
        --found->second.holds;
        found->second.idle_since = clock_.monotonic();
    }
    if (listener_) listener_();
}

Lifetimes::Life& Lifetimes::life(JailId id) {
    const auto [found, inserted] = lives_.try_emplace(id);
    if (inserted) found->second.idle_since = clock_.monotonic();
    return found->second;
}

void Lifetimes::learn(const model::Jail& row) {
    const std::lock_guard lock(mutex_);
    auto& one = life(row.id);
    if (row.generation < one.generation) return;  // read before somebody changed it
    one.generation = row.generation;
    one.incarnation = row.incarnation;
    one.ephemeral = row.spec.ephemeral;
    one.ttl = row.pool ? Milliseconds{0} : row.spec.ttl;  // it begins when somebody takes it
    one.since = row.since;
    one.removing = row.removing;
}

void Lifetimes::learn(const model::Jail& row, Standing standing) {
    learn(row);
    const std::lock_guard lock(mutex_);
    auto& one = life(row.id);
    if (std::exchange(one.standing, standing) != standing) one.idle_since = clock_.monotonic();
}

void Lifetimes::forget(JailId id) {
    const std::lock_guard lock(mutex_);
    lives_.erase(id);
}

void Lifetimes::learn_all(const std::vector<model::Jail>& rows) {
    for (const auto& row : rows) learn(row);
    const std::lock_guard lock(mutex_);
    std::erase_if(lives_, [&](const auto& entry) {
        return entry.second.holds == 0 && std::ranges::find(rows, entry.first, &model::Jail::id) == rows.end();
    });
}

std::optional<Lifetimes::Due> Lifetimes::due(const Life& life) {
    if (life.removing || life.claimed) return std::nullopt;
    std::optional<Due> first;
    if (life.ttl.count() > 0) first = Due{.at = Clock::Monotonic(life.since + life.ttl), .why = kTtl};
    const auto sooner = [&](Clock::Monotonic at, std::string_view why) {
        if (!first || at < first->at) first = Due{.at = at, .why = why};
    };
    const auto standing = life.ephemeral ? life.standing : Standing::unknown;
    const bool held = life.holds > 0;
    if (standing == Standing::done) sooner(life.idle_since, "ended");
    if (standing == Standing::idle && !held) sooner(life.idle_since + life.ephemeral->grace, "unused");
    if (standing == Standing::coming && !held) sooner(life.idle_since + life.ephemeral->grace, "not_started");
    if (first) first->at = std::max(first->at, life.not_before);
    return first;
}

std::vector<Lifetimes::Expired> Lifetimes::claim_due() {
    const auto now = clock_.monotonic();
    std::vector<Expired> all;
    const std::lock_guard lock(mutex_);
    for (auto& [id, life] : lives_) {
        const auto when = due(life);
        if (!when || when->at > now) continue;
        life.claimed = true;
        all.push_back({.id = id, .why = when->why, .generation = life.generation, .incarnation = life.incarnation});
    }
    return all;
}

void Lifetimes::kept(JailId id, Milliseconds again) {
    const std::lock_guard lock(mutex_);
    const auto found = lives_.find(id);
    if (found == lives_.end()) return;
    found->second.claimed = false;
    found->second.not_before = clock_.monotonic() + again;
}

void Lifetimes::going(JailId id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = lives_.find(id); found != lives_.end()) found->second.removing = true;
}

std::optional<Clock::Monotonic> Lifetimes::next() const {
    const std::lock_guard lock(mutex_);
    std::optional<Clock::Monotonic> first;
    for (const auto& [id, life] : lives_)
        if (const auto when = due(life); when && (!first || when->at < *first)) first = when->at;
    return first;
}

Result<bool> expire(store::Store& store, Clock& clock, const Lifetimes::Expired& what) {
    return store::write<bool>(store, [&](store::Writer& writer) -> Result<bool> {
        const auto row = writer.jail(what.id);
        if (!row && row.error().code == Errc::not_found) return false;
        if (!row) return std::unexpected(row.error());
        if (row->removing || !is_over(*row, what, clock.now().monotonic)) return false;
        if (auto free = writer.check_snapshots_free(row->id); !free) return std::unexpected(free.error());
        if (auto written = write_removal(writer, *row, what.why); !written) return std::unexpected(written.error());
        return true;
    });
}

Result<void> begin_boot(store::Store& store, const std::string& boot) {
    return store.write([&](store::Writer& writer) -> Result<void> {
        auto left = writer.begin_boot(boot);
        if (!left) return std::unexpected(left.error());
        for (const auto& row : *left)
            if (auto written = write_removal(writer, row, "host_restarted"); !written) return written;
        return {};
    });
}

}  // namespace jaild::reconcile
