#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "core/reconcile/journal.h"
#include "core/reconcile/observe.h"
#include "core/reconcile/repairs.h"
#include "core/reconcile/status.h"
#include "core/store/store.h"

namespace jaild::reconcile {

/// Brings networks up before the first jail that needs one and takes them down after the last; raising the host's IP
/// forwarding for one is an event. One change at a time
/// over all networks; whoever waits too long for a call that hangs gets Errc::busy. Blocking, any worker.
class Networks {
public:
    Networks(store::Store& store, kernel::Kernel& kernel, Clock& clock, Journal& journal, bool manage_forwarding)
        : store_(store), kernel_(kernel), clock_(clock), journal_(journal), manage_forwarding_(manage_forwarding) {}

    struct Done {
        std::vector<std::string> steps{};
        /// It was whole before: somebody disturbed it, so often since that was last told of. 0: nothing to be told.
        unsigned repaired = 0;
        std::optional<Failure> failure{};
    };

    /// For a jail that is about to be linked to it.
    Done ensure(const model::Network& network, const std::vector<model::Network>& all);
    /// Up or down, as rows and links say at this moment.
    Done settle(const model::Network& network, const std::vector<model::Network>& all);
    /// The same for what a deleted network left: taken down unless something is on it.
    Done clear(NetworkId id);

    /// A jail was found whole on it, so it had been whole.
    void found_whole(NetworkId id);
    /// Why its jails reach no other network, if that is so.
    [[nodiscard]] std::optional<Error> nat_missing(NetworkId id) const;
    [[nodiscard]] bool forwarding_missing(NetworkId id) const;

private:
    struct Known {
        bool whole = false;
        Repairs repairs{};
        std::optional<Error> nat_missing{};
        bool forwarding_missing = false;
    };
    class Turn;

    Done bring(const model::Network& network, const std::vector<model::Network>& all, bool in_use);
    void tell_of_forwarding(const model::Network& network, const std::string& family);
    Result<bool> in_use(const model::Network& network);

    store::Store& store_;
    kernel::Kernel& kernel_;
    Clock& clock_;
    Journal& journal_;
    const bool manage_forwarding_;

    std::mutex turn_mutex_;
    std::condition_variable turn_free_;
    bool turn_taken_ = false;

    mutable std::mutex known_mutex_;
    std::map<NetworkId, Known> known_;
};

}  // namespace jaild::reconcile
