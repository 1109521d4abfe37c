#include "core/reconcile/neighbours.h"

#include "core/reconcile/effective.h"
#include "core/reconcile/observe.h"

namespace jaild::reconcile {

Result<Neighbours::Look> Neighbours::look() {
    Look look;
    {
        const std::lock_guard lock(mutex_);
        look.number = ++looks_;
    }
    auto owners = store::read<std::vector<store::AddressOwner>>(
        store_, [](store::Reader& reader) { return reader.address_owners(); });
    if (!owners) return std::unexpected(owners.error());
    look.book = AddressBook(*std::move(owners));
    return look;
}

Neighbours::Known Neighbours::known(JailId id) {
    const std::lock_guard lock(mutex_);
    return known_[id];
}

void Neighbours::note(JailId id, const std::function<void(Known&)>& change) {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(id); found != known_.end()) change(found->second);
}

Result<void> Neighbours::begin(JailId id, const Write& write) {
    const auto writing = known(id).writing;
    const std::lock_guard turn(*writing);
    const auto now = look();
    if (!now) return std::unexpected(now.error());
    if (auto written = write(now->book.neighbours(id)); !written) return written;
    note(id, [&](Known& mine) {
        mine.written = now->book.fingerprint(id);
        mine.look = now->number;
    });
    return {};
}

/// Those of an earlier daemon, as they are found.
void Neighbours::adopt_those_that_run() {
    const auto running = board_.running();
    const std::lock_guard lock(mutex_);
    for (const JailId id : running) known_.try_emplace(id);
}

/// Forgets whoever has no address any more.
std::vector<JailId> Neighbours::behind(const Look& look) {
    std::vector<JailId> found;
    const std::lock_guard lock(mutex_);
    for (auto entry = known_.begin(); entry != known_.end();) {
        const auto& [id, mine] = *entry;
        if (!look.book.knows(id) && mine.look < look.number) {
            entry = known_.erase(entry);
            continue;
        }
        if (mine.look < look.number && mine.written != look.book.fingerprint(id)) found.push_back(id);
        ++entry;
    }
    return found;
}

Result<void> Neighbours::settle() {
    adopt_those_that_run();
    const auto now = look();
    if (!now) return std::unexpected(now.error());
    Result<void> first;
    for (const JailId id : behind(*now)) {
        auto done = catch_up(id, *now);
        if (!done && first) first = std::move(done);
    }
    return first;
}

Result<void> Neighbours::catch_up(JailId id, const Look& look) {
    const auto memory = board_.get(id);
    if (!memory.observed || !alive(*memory.observed)) return {};
    const auto row = store::read<model::Jail>(store_, [&](store::Reader& reader) { return reader.jail(id); });
    if (!row) return row.error().code == Errc::not_found ? Result<void>{} : std::unexpected(row.error());

    const auto writing = known(id).writing;
    // It is about to start; what is left then is done after its round.
    const std::unique_lock turn(*writing, std::try_to_lock);
    if (!turn || known(id).look > look.number) return {};
    auto parameters = root_parameters(effective(*row, *memory.observed).jail);
    parameters.neighbours = look.book.neighbours(id);
    if (auto written = kernel_.roots().write_hosts(parameters); !written) {
        // It went meanwhile, or its root took its /etc away.
        return written.error().code == Errc::not_found ? Result<void>{} : written;
    }
    note(id, [&](Known& mine) {
        mine.written = look.book.fingerprint(id);
        mine.look = look.number;
    });
    return {};
}

}  // namespace jaild::reconcile
