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
    struct Options {
        bool manage_forwarding = true;
        /// So long after rules were seen whole they are not looked at again for a jail that comes or goes: the look
        /// costs as much as half a start on FreeBSD, and a sweep looks at them all the time.
        Milliseconds rules_trusted_for{0};
    };
    Networks(store::Store& store, kernel::Kernel& kernel, Clock& clock, Journal& journal, const Options& options)
        : store_(store), kernel_(kernel), clock_(clock), journal_(journal), options_(options) {}

    struct Done {
        std::vector<std::string> steps{};
        /// It was whole before: somebody disturbed it, so often since that was last told of. 0: nothing to be told.
        unsigned repaired = 0;
        std::optional<Failure> failure{};
    };

    /// For a jail that is about to be linked to it.
    Done ensure(const model::Network& network, const std::vector<model::Network>& all);
    /// For a jail that left it: down if it was the last, as rows and links say at this moment.
    Done leave(const model::Network& network, const std::vector<model::Network>& all);
    /// Up or down in the same way; everything of it is looked at anew.
    Done settle(const model::Network& network, const std::vector<model::Network>& all);
    /// The same for what a deleted network left: taken down unless something is on it.
    Done clear(NetworkId id);
    /// Before a network's row goes: takes down a bridge that nobody is on, a half-made one too, of which nobody could
    /// tell later whose it is.
    Done retire(const model::Network& network);

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
        bool cleared = false;  ///< nothing of it is there, the half-made included
        /// As it was when its rules were last seen whole, or made so; nothing: they were not.
        std::optional<model::Network> ruled{};
        Clock::Monotonic rules_seen{};
    };
    class Turn;

    Done leave_or_settle(const model::Network& network, const std::vector<model::Network>& all, bool trusting);
    bool take_down_unseen(NetworkId id, Done& done);
    [[nodiscard]] bool trusts_rules(const model::Network& network) const;
    Done bring(const model::Network& network, const std::vector<model::Network>& all, bool in_use, bool trusting);
    void tell_of_forwarding(const model::Network& network, const std::string& family);
    Result<bool> in_use(const model::Network& network);

    store::Store& store_;
    kernel::Kernel& kernel_;
    Clock& clock_;
    Journal& journal_;
    const Options options_;

    std::mutex turn_mutex_;
    std::condition_variable turn_free_;
    bool turn_taken_ = false;

    mutable std::mutex known_mutex_;
    std::map<NetworkId, Known> known_;
};

}  // namespace jaild::reconcile
