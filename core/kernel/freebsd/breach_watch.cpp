#include "core/kernel/freebsd/breach_watch.h"

#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/pure/rctl_messages.h"
#include "core/kernel/freebsd/system/rctl.h"

namespace jaild::kernel::freebsd {
namespace {

/// What comes sooner after the last one of its jail is found at the next look at its limits.
constexpr std::chrono::seconds kPause{5};

}  // namespace

Result<void> BreachWatch::start(OnChange on_change) {
    // Only a boot changes that: devd has too few places to take one for nothing.
    if (!rctl::supported()) return {};
    on_change_ = std::move(on_change);
    return devd_.start([this](std::string_view line) { read(line); });
}

void BreachWatch::read(std::string_view line) {
    const auto breach = rctl::parse_breach(line);
    if (!breach) return;
    const auto prison = prison_named(breach->jail.text());
    if (!prison || !*prison) return;
    const auto id = places_.jail_of_root((*prison)->path);
    if (!id || !is_ours(places_, *id, **prison)) return;
    if (count(*id, (*prison)->jid, breach->resource)) on_change_(*id);
}

bool BreachWatch::count(JailId id, int jid, const std::string& resource) {
    const std::lock_guard lock(mutex_);
    auto& life = lives_[id];
    if (life.jid != jid) life = {.jid = jid};
    ++life.counts[resource];
    const auto now = std::chrono::steady_clock::now();
    if (now - life.told < kPause) return false;
    life.told = now;
    return true;
}

BreachWatch::Counts BreachWatch::counts(JailId id, int jid) const {
    const std::lock_guard lock(mutex_);
    const auto life = lives_.find(id);
    return life == lives_.end() || life->second.jid != jid ? Counts{} : life->second.counts;
}

void BreachWatch::forget(JailId id) {
    const std::lock_guard lock(mutex_);
    lives_.erase(id);
}

}  // namespace jaild::kernel::freebsd
