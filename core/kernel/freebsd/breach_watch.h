#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "core/kernel/freebsd/devd_listener.h"
#include "core/kernel/freebsd/pure/places.h"

namespace jaild::kernel::freebsd {

/// Counts how often the rules of our jails were met, as the kernel tells devd(8): ten messages a second for the whole
/// host (kern.racct.rctl.devctl_rate_limit), one for each process that has too much until it has less. What comes once
/// its jail is gone is dropped. Forgotten with the daemon.
class BreachWatch {
public:
    using OnChange = std::function<void(JailId)>;
    using Counts = std::map<std::string, std::uint64_t>;
    explicit BreachWatch(Places places) : places_(std::move(places)) {}

    /// Once, where there can be limits. The callback, for a jail every few seconds at most, must not block.
    Result<void> start(OnChange on_change);
    /// By resource, in this life of the jail. Any thread, as all that follow.
    [[nodiscard]] Counts counts(JailId id, int jid) const;
    void forget(JailId id);
    /// As DevdListener.
    [[nodiscard]] Result<void> listening() const { return devd_.listening(); }

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Life {
        int jid = 0;
        Counts counts{};
        Time told{};
    };
    void read(std::string_view line);
    /// Is it to be told of now?
    bool count(JailId id, int jid, const std::string& resource);

    Places places_;
    OnChange on_change_;
    mutable std::mutex mutex_;
    std::map<JailId, Life> lives_;
    DevdListener devd_;  // last: its thread uses the others
};

}  // namespace jaild::kernel::freebsd
