#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/model/jail.h"
#include "core/store/store.h"

/// Which jails go by themselves, and when: ephemeral ones that nobody needs, and those whose ttl is over.
namespace jaild::reconcile {

/// What an ephemeral jail is there for.
enum class Standing {
    unknown,  ///< nobody has looked, it waits for another jail, or its root is on its way: it stays
    coming,   ///< it does not come up
    idle,     ///< it runs, without a command: for programs of clients
    used,     ///< its command runs, or is run again
    done,     ///< its command has ended for good, or somebody stopped it
};

/// Memory only: after a start of the daemon everything is seen anew, and a grace begins anew. Thread-safe; nothing
/// blocks beyond a short lock.
class Lifetimes {
public:
    explicit Lifetimes(Clock& clock) : clock_(clock) {}

    /// A program of a client's is in the jail as long as this lives, which may be longer than the daemon's reconciler.
    class Hold {
    public:
        Hold(Hold&&) = default;
        Hold& operator=(Hold&&) = delete;
        ~Hold();

    private:
        friend class Lifetimes;
        Hold(std::weak_ptr<Lifetimes> all, JailId id) : all_(std::move(all)), id_(id) {}
        std::weak_ptr<Lifetimes> all_;
        JailId id_;
    };
    /// Nothing: the jail is about to go.
    static std::optional<Hold> hold(const std::shared_ptr<Lifetimes>& all, JailId id);

    /// Set before use; called outside the lock, by any thread: next() may be earlier than it was.
    void on_change(std::function<void()> listener) { listener_ = std::move(listener); }

    /// What its row says now.
    void learn(const model::Jail& row);
    /// Of the jail as that row has it.
    void learn(const model::Jail& row, Standing standing);
    void forget(JailId id);
    /// Of the jails that there are; others are forgotten.
    void learn_all(const std::vector<model::Jail>& rows);

    struct Expired {
        JailId id;
        std::string_view why;  ///< "ended", "unused", "not_started", "ttl"
        Generation generation = 0;
        Incarnation incarnation = 0;  ///< of the row by which it was judged
    };
    /// Those whose time is over. Nobody gets a hold on them until they are kept().
    std::vector<Expired> claim_due();
    /// It does not go now: claim_due() may name it again in `again`.
    void kept(JailId id, Milliseconds again);
    /// Its row says so.
    void going(JailId id);
    /// When the next one is due; nothing when there is none.
    [[nodiscard]] std::optional<Clock::Monotonic> next() const;

private:
    struct Life {
        std::optional<model::EphemeralSpec> ephemeral{};
        Milliseconds ttl{0};
        Milliseconds since{0};
        Generation generation = 0;
        Incarnation incarnation = 0;
        bool removing = false;
        Standing standing = Standing::unknown;
        unsigned holds = 0;
        Clock::Monotonic idle_since{};
        Clock::Monotonic not_before{};
        bool claimed = false;
    };
    struct Due {
        Clock::Monotonic at;
        std::string_view why;
    };
    static std::optional<Due> due(const Life& life);
    Life& life(JailId id);
    void release(JailId id);

    Clock& clock_;
    mutable std::mutex mutex_;
    std::map<JailId, Life> lives_;
    std::function<void()> listener_;
};

/// A removal that nobody asked for: the row, the operation, the event "jail.removing" with `why`, the audit row. False:
/// the jail is gone or going, or is not to go any more. As Writer::check_snapshots_free(). Blocking.
Result<bool> expire(store::Store& store, Clock& clock, const Lifetimes::Expired& what);
/// Before expire() of a daemon's: ephemeral jails of an earlier boot of the host are removed. Blocking.
Result<void> begin_boot(store::Store& store, const std::string& boot);

}  // namespace jaild::reconcile
