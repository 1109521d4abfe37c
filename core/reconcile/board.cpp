#include "core/reconcile/board.h"

#include <algorithm>

#include "core/model/datasets.h"
#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

bool share_address(const std::vector<Prefix>& some, const std::vector<Prefix>& others) {
    return std::ranges::any_of(some, [&](const Prefix& one) {
        return std::ranges::find(others, one.address, &Prefix::address) != others.end();
    });
}

using model::key_of;

/// What others ask of a jail, as its row says.
void note_row(Memory& memory, const model::Jail& row) {
    memory.name = row.name.text();
    memory.health = row.spec.health;
    memory.depends_on.clear();
    memory.follows.clear();
    for (const auto& one : row.spec.depends_on) {
        memory.depends_on.insert(key_of(one.jail));
        if (one.on_death == model::OnDeath::restart) memory.follows.insert(key_of(one.jail));
    }
}

/// It runs, and does not do its work as far as anybody knows.
bool is_unwell(const Memory& memory) {
    return memory.health && (!memory.status.health || memory.status.health->state != model::HealthState::healthy);
}

bool is_up(const Memory& memory, model::DependencyCondition condition) {
    const bool runs = memory.seen && memory.status.state == model::JailState::running;
    return runs && (condition == model::DependencyCondition::started || !is_unwell(memory));
}

/// It waits itself for one that nobody brings up by himself.
bool is_blocked(const model::JailStatus& status) {
    return std::ranges::find(status.conditions, model::kDependencyDown, &model::Condition::reason) !=
           status.conditions.end();
}

}  // namespace

bool Board::enter(JailId id) {
    const std::lock_guard lock(mutex_);
    auto& memory = memories_[id];
    if (memory.under_way) return false;
    memory.under_way = true;
    memory.version++;
    return true;
}

bool Board::under_way(JailId id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = memories_.find(id);
    return entry != memories_.end() && entry->second.under_way;
}

void Board::leave(JailId id) {
    bool told = false;
    {
        const std::lock_guard lock(mutex_);
        const auto entry = memories_.find(id);
        if (entry == memories_.end()) return;
        entry->second.under_way = false;
        told = entry->second.doing && entry->second.doing->told;
        entry->second.doing.reset();
        entry->second.version++;
    }
    if (told) tell(id);
}

void Board::begin(JailId id, Doing doing) {
    bool told = false;
    {
        const std::lock_guard lock(mutex_);
        auto& memory = memories_[id];
        told = memory.doing && memory.doing->told;
        memory.doing = std::move(doing);
    }
    if (told) tell(id);
}

std::vector<JailId> Board::tell_long_steps(Clock::Monotonic now) {
    std::vector<JailId> found;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, memory] : memories_) {
            if (!memory.doing || now - memory.doing->since < kLongStep) continue;
            memory.doing->told = true;
            found.push_back(id);
        }
    }
    for (const auto id : found) tell(id);
    return found;
}

void Board::begin(const model::Jail& row) {
    const std::lock_guard lock(mutex_);
    auto& memory = memories_[row.id];
    note_row(memory, row);
    memory.networks.clear();
    if (wanted(row))
        for (const auto& interface : row.interfaces) memory.networks.insert(interface.network);
    if (memory.generation == row.generation && memory.incarnation == row.incarnation && memory.removing == row.removing)
        return;
    memory.generation = row.generation;
    memory.incarnation = row.incarnation;
    memory.removing = row.removing;
    memory.failure.reset();
    memory.tries = 0;
    memory.disturbed = false;
}

void Board::ask(JailId id, Asked how) {
    const std::lock_guard lock(mutex_);
    auto& memory = memories_[id];
    memory.asked++;
    memory.impatient = memory.impatient || how == Asked::impatiently;
}

std::uint64_t Board::heed(JailId id) {
    const std::lock_guard lock(mutex_);
    const auto entry = memories_.find(id);
    if (entry == memories_.end()) return 0;
    entry->second.impatient = false;
    entry->second.heeded = entry->second.asked;
    return entry->second.asked;
}

std::uint64_t Board::asked(JailId id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = memories_.find(id);
    return entry == memories_.end() ? 0 : entry->second.asked;
}

void Board::add_progress(JailId id, std::string step) {
    const std::lock_guard lock(mutex_);
    auto& progress = memories_[id].progress;
    if (progress.size() == kKeptProgress) progress.erase(progress.begin());
    progress.push_back(std::move(step));
}

unsigned Board::failed(JailId id, Failure failure) {
    const std::lock_guard lock(mutex_);
    auto& memory = memories_[id];
    memory.failure = std::move(failure);
    return ++memory.tries;
}

bool Board::store(Memory& memory, const Findings& findings) {
    auto status = derive_status(findings, memory.status);
    if (!findings.unseen) memory.observed = findings.observed;
    note_row(memory, findings.row);
    const bool changed = !memory.seen || status != memory.status;
    memory.seen = true;
    memory.status = std::move(status);
    return changed;
}

model::JailStatus Board::publish(Findings findings) {
    model::JailStatus status;
    bool changed = false;
    {
        const std::lock_guard lock(mutex_);
        auto& memory = memories_[findings.row.id];
        findings.failure = memory.failure;
        changed = store(memory, findings);
        status = memory.status;
    }
    if (changed && listener_) listener_(findings.row.id);
    return status;
}

void Board::adopt(std::uint64_t version, Findings findings, model::JailState state) {
    bool changed = false;
    {
        const std::lock_guard lock(mutex_);
        if (!memories_.contains(findings.row.id) && version != 0) return;
        auto& memory = memories_[findings.row.id];
        if (memory.version != version || memory.under_way) return;
        findings.failure = memory.failure;
        changed = store(memory, findings);
        memory.announced = state;
        if (!memory.told_breaches) memory.told_breaches = memory.status.limit_breaches;
        const auto& shim = findings.observed.shim;
        memory.command_ran = shim && shim->alive && shim->command == kernel::CommandState::running;
    }
    if (changed && listener_) listener_(findings.row.id);
}

void Board::set_health(JailId id, const model::HealthStatus& health) {
    {
        const std::lock_guard lock(mutex_);
        const auto entry = memories_.find(id);
        if (entry == memories_.end() || !entry->second.status.health || entry->second.status.health == health) return;
        entry->second.status.health = health;
    }
    if (listener_) listener_(id);
}

void Board::remember(const std::map<JailId, Memory>& before, const model::Jail& row, const Observed& observed) {
    const std::lock_guard lock(mutex_);
    if (!memories_.contains(row.id) && before.contains(row.id)) return;
    auto& memory = memories_[row.id];
    if (memory.observed) return;
    memory.observed = observed;
    note_row(memory, row);
}

void Board::erase(JailId id) {
    {
        const std::lock_guard lock(mutex_);
        if (memories_.erase(id) == 0) return;
    }
    if (listener_) listener_(id);
}

void Board::erase_idle(JailId id) {
    {
        const std::lock_guard lock(mutex_);
        const auto entry = memories_.find(id);
        if (entry == memories_.end() || entry->second.under_way) return;
        memories_.erase(entry);
    }
    if (listener_) listener_(id);
}

bool Board::knows(JailId id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = memories_.find(id);
    if (entry == memories_.end() || entry->second.seen) return true;
    const auto& observed = entry->second.observed;
    return !observed || !alive(*observed);
}

Memory Board::get(JailId id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = memories_.find(id);
    return entry == memories_.end() ? Memory{} : entry->second;
}

std::map<JailId, Memory> Board::all() const {
    const std::lock_guard lock(mutex_);
    return memories_;
}

void Board::update(JailId id, const std::function<void(Memory&)>& change) {
    const std::lock_guard lock(mutex_);
    change(memories_[id]);
}

std::vector<JailId> Board::running() const {
    std::vector<JailId> found;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, memory] : memories_)
        if (memory.observed && alive(*memory.observed)) found.push_back(id);
    return found;
}

std::optional<std::string> Board::holder_of(const std::vector<Prefix>& addresses, JailId self) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, memory] : memories_) {
        if (id == self || !memory.observed) continue;
        for (const auto& link : memory.observed->links)
            if (share_address(link.addresses, addresses)) return memory.name;
    }
    return std::nullopt;
}

std::optional<std::string> Board::holder_of(const std::vector<std::string>& datasets, JailId self) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, memory] : memories_) {
        if (id == self || !memory.observed) continue;
        for (const auto& given : given_datasets(*memory.observed))
            if (std::ranges::any_of(datasets, [&](const auto& one) { return model::overlap(one, given); }))
                return memory.name;
    }
    return std::nullopt;
}

const Memory* Board::find(const std::string& name) const {
    const auto is_it = [&](const auto& entry) { return key_of(entry.second.name) == key_of(name); };
    const auto entry = std::ranges::find_if(memories_, is_it);
    return entry == memories_.end() ? nullptr : &entry->second;
}

std::vector<Awaited> Board::not_up(const std::vector<model::Dependency>& dependencies) const {
    std::vector<Awaited> found;
    const std::lock_guard lock(mutex_);
    for (const auto& one : dependencies) {
        const auto* memory = find(one.jail);
        if (memory == nullptr || !memory->seen) {
            found.push_back({.text = one.jail + ", which is not there"});
            continue;
        }
        if (is_up(*memory, one.condition)) continue;
        const auto state = memory->status.state;
        if (state != model::JailState::running) {
            found.push_back({.text = one.jail + ", which is " + std::string(model::to_string(state)),
                             .coming = state == model::JailState::starting && !is_blocked(memory->status)});
            continue;
        }
        const auto& health = memory->status.health;
        const bool ill = health && health->state == model::HealthState::unhealthy;
        found.push_back({.text = one.jail + (ill ? ", which is unhealthy" : ", which is not healthy yet"),
                         .coming = ill ? memory->health->restart : health.has_value()});
    }
    return found;
}

std::map<std::string, std::int64_t> Board::lives_of(const std::vector<model::Dependency>& dependencies) const {
    std::map<std::string, std::int64_t> lives;
    const std::lock_guard lock(mutex_);
    for (const auto& one : dependencies) {
        const auto* memory = find(one.jail);
        if (memory == nullptr || !memory->observed || !is_up(*memory, one.condition)) continue;
        if (const auto life = life_of(*memory->observed); life != 0) lives[key_of(one.jail)] = life;
    }
    return lives;
}

std::vector<std::string> Board::alive_dependents(const model::Name& name) const {
    std::vector<std::string> found;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, memory] : memories_)
        if (memory.depends_on.contains(name.key()) && memory.observed && alive(*memory.observed))
            found.push_back(memory.name);
    return found;
}

std::vector<JailId> Board::waiting_for(JailId id) const {
    std::vector<JailId> found;
    const std::lock_guard lock(mutex_);
    const auto self = memories_.find(id);
    if (self == memories_.end()) return found;
    for (const auto& [other, memory] : memories_)
        if (const auto key = key_of(self->second.name);
            memory.follows.contains(key) || (memory.waits && memory.depends_on.contains(key)))
            found.push_back(other);
    return found;
}

void Board::left_networks(JailId id) {
    const std::lock_guard lock(mutex_);
    const auto entry = memories_.find(id);
    if (entry != memories_.end() && entry->second.observed) entry->second.observed->links.clear();
}

bool Board::others_use(NetworkId network, JailId self) const {
    const auto has_link = [&](const Memory& memory) {
        return memory.observed && std::ranges::find(memory.observed->links, network, &kernel::ObservedLink::bridge) !=
                                      memory.observed->links.end();
    };
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(memories_, [&](const auto& entry) {
        const auto& [id, memory] = entry;
        return id != self && (memory.networks.contains(network) || has_link(memory));
    });
}

}  // namespace jaild::reconcile
