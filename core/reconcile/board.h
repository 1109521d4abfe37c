#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/reconcile/doing.h"
#include "core/reconcile/repairs.h"
#include "core/reconcile/status.h"

/// What this process remembers of each jail: never needed for correctness, all of it is found again after a crash.
namespace jaild::reconcile {

struct Memory {
    model::JailStatus status{};
    bool seen = false;  ///< status was derived from an observation
    /// Those that events were about, or that were there when the daemon was started.
    std::optional<std::map<std::string, std::uint64_t>> told_breaches;
    /// The end that an event says was answered with a restart: it is answered until that has begun.
    std::optional<model::LastExit> told_restart;
    std::optional<Failure> failure{};
    unsigned tries = 0;  ///< failed rounds in a row, for this generation, incarnation and wish to remove
    Generation generation = 0;
    Incarnation incarnation = 0;
    bool removing = false;
    std::vector<std::string> progress{};          ///< steps done since it last converged, the last 64
    std::optional<model::JailState> announced{};  ///< in the last event about its state
    bool disturbed = false;                       ///< it had been whole: what is done now is a repair
    Repairs repairs{};
    bool command_ran = false;  ///< when it last converged
    /// Of its command's last end, when that was seen first.
    struct Ended {
        UtcTime at;
        Clock::Monotonic seen;
        std::string last_words{};  ///< the last lines of its log, of one that is not run again
    };
    std::optional<Ended> ended{};
    std::set<std::string> depends_on{};  ///< Name::key() of each
    std::set<std::string> follows{};     ///< those of them after which it is made anew
    std::optional<model::HealthSpec> health{};
    bool waits = false;  ///< for one of those, when it last converged; or for one that depends on it
    std::optional<Clock::Monotonic> restart_at{};  ///< its restart policy's, when it last converged
    std::optional<Observed> observed{};            ///< when last looked at
    std::string name{};
    std::set<NetworkId> networks{};  ///< that it should be linked to; none when it should not run
    std::uint64_t asked = 0;         ///< grows with every poke from outside
    std::uint64_t heeded = 0;        ///< what it was when a round read the row
    std::uint64_t version = 0;       ///< grows with every round
    bool under_way = false;
    std::optional<Doing> doing{};  ///< while it is
    bool impatient = false;  ///< what a round waits for of the user's is to be cut short, until it reads its row again
};

/// Thread-safe; nothing blocks beyond a short lock.
class Board {
public:
    static constexpr std::size_t kKeptProgress = 64;

    /// Set before use; called outside the lock, by any thread.
    void on_status(std::function<void(JailId)> listener) { listener_ = std::move(listener); }

    /// One round at a time: false when one is under way.
    bool enter(JailId id);
    void leave(JailId id);
    [[nodiscard]] bool under_way(JailId id) const;
    /// The step that the round is at from now on.
    void begin(JailId id, Doing doing);
    /// Tells the listener of those that take long, which their statuses say by the time at which somebody asks; whose.
    std::vector<JailId> tell_long_steps(Clock::Monotonic now);

    /// The row that a round works for; a new wish forgets the failures of the old one.
    void begin(const model::Jail& row);
    enum class Asked { in_turn, impatiently };
    void ask(JailId id, Asked how);
    [[nodiscard]] std::uint64_t asked(JailId id) const;
    /// The same, about to read the row.
    std::uint64_t heed(JailId id);
    void add_progress(JailId id, std::string step);
    /// Another failed round; how many now.
    unsigned failed(JailId id, Failure failure);
    /// Derives the status of what was found, with the remembered failure, and tells the listener if it changed.
    model::JailStatus publish(Findings findings);
    /// The same for what a sweep found in order, unless a round began or ended (which may have been the jail's last)
    /// since `version`; 0: never heard of. `state` is no news.
    void adopt(std::uint64_t version, Findings findings, model::JailState state);
    /// Of one that was found to have some: between two looks at it.
    void set_health(JailId id, const model::HealthStatus& health);
    /// What was seen of a jail that no round has looked at yet. `before`: all() from before that look; a jail that was
    /// on the board then and is not now was removed since.
    void remember(const std::map<JailId, Memory>& before, const model::Jail& row, const Observed& observed);
    void erase(JailId id);
    /// A jail that has no row any more, unless a round over it is under way (which finds out by itself).
    void erase_idle(JailId id);

    /// A copy; a default one for a jail never heard of.
    [[nodiscard]] Memory get(JailId id) const;
    [[nodiscard]] std::map<JailId, Memory> all() const;
    void update(JailId id, const std::function<void(Memory&)>& change);
    /// After a look at everything: its status is what was found, or nothing of it lives, so that it is as expected.
    [[nodiscard]] bool knows(JailId id) const;
    /// Jails that were alive when they were last looked at.
    [[nodiscard]] std::vector<JailId> running() const;

    /// The name of another jail whose link still has one of these addresses.
    [[nodiscard]] std::optional<std::string> holder_of(const std::vector<Prefix>& addresses, JailId self) const;
    /// The name of another jail that runs with one of these datasets, or with one above or beneath it.
    [[nodiscard]] std::optional<std::string> holder_of(const std::vector<std::string>& datasets, JailId self) const;
    /// Those that are not up as they should be, as they were last looked at.
    [[nodiscard]] std::vector<Awaited> not_up(const std::vector<model::Dependency>& dependencies) const;
    /// life_of() those that are, by Name::key().
    [[nodiscard]] std::map<std::string, std::int64_t> lives_of(
        const std::vector<model::Dependency>& dependencies) const;
    /// Jails that live and depend on that one.
    [[nodiscard]] std::vector<std::string> alive_dependents(const model::Name& name) const;
    /// Jails that wait for that one, or are made anew after it.
    [[nodiscard]] std::vector<JailId> waiting_for(JailId id) const;
    /// Its links are gone; said before others_use() is asked for it, so that of two that leave at once one is the last.
    void left_networks(JailId id);
    /// Another jail should be on that network, or is still, as far as we remember.
    [[nodiscard]] bool others_use(NetworkId network, JailId self) const;

private:
    bool store(Memory& memory, const Findings& findings);
    void tell(JailId id) const {
        if (listener_) listener_(id);
    }
    [[nodiscard]] const Memory* find(const std::string& name) const;

    mutable std::mutex mutex_;
    std::map<JailId, Memory> memories_;
    std::function<void(JailId)> listener_;
};

}  // namespace jaild::reconcile
