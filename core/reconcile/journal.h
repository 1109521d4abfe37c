#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/reconcile/effective.h"
#include "core/reconcile/status.h"
#include "core/store/store.h"

/// What rounds write into the store: one transaction for each round that ended, none for one that changed nothing.
namespace jaild::reconcile {

/// An event about to be written; `data` is a JSON object as text.
struct Note {
    std::string type;
    std::string data;
};

/// `times`: so many repairs by the same steps are told of at once.
Note drift_note(std::string_view kind, const std::string& name, const std::vector<std::string>& steps, unsigned times);
/// `family`: "ipv4", "ipv6".
Note forwarding_note(const std::string& family, const std::string& network);
Note state_note(model::JailState state);
Note command_ended_note(const std::optional<model::LastExit>& exit);
/// limit.breached, for each resource that was breached since; as JailStatus::limit_breaches.
std::vector<Note> breach_notes(const std::map<std::string, std::uint64_t>& before,
                               const std::map<std::string, std::uint64_t>& now);
/// The next start by the restart policy begins at `now`.
Note restart_note(const EndedCommand& ended, UtcTime now);
/// It is made anew after that jail, on which it depends.
Note follow_note(const std::string& jail);
/// "jail.healthy", "jail.unhealthy".
Note health_note(const model::HealthStatus& health, const model::HealthSpec& spec);
Note failure_note(const Failure& failure);

/// Blocking.
class Journal {
public:
    Journal(store::Store& store, Clock& clock) : store_(store), clock_(clock) {}

    /// The jail is as its row asks: operations up to that generation and incarnation have succeeded.
    Result<void> converged(const model::Jail& row, const std::vector<std::string>& progress,
                           const std::vector<Note>& notes);
    enum class Operations { go_on, fail };
    Result<void> failed(const model::Jail& row, const std::vector<std::string>& progress, const Failure& failure,
                        Operations operations, const std::vector<Note>& notes);
    /// The root of the jail is what RootChange says: what it was is a snapshot, and the row is told.
    Result<void> root_changed(const model::Jail& row);
    /// An upgrade has come so far; beyond its first stage, what the root was is a snapshot.
    Result<void> upgrade_went_on(const model::Jail& row, model::RootStage stage);
    /// And has turned out well.
    Result<void> upgrade_done(const model::Jail& row);
    /// An upgrade did not turn out well: the root becomes again what it was, what it is now is kept as another
    /// snapshot.
    Result<void> take_back_upgrade(const model::Jail& row, const Failure& failure);
    /// It stays as it is instead, and so does the template; the operations that wanted it fail.
    Result<void> root_change_failed(const model::Jail& row, const Failure& failure);
    /// Nothing is left of the jail: its row goes, its removal has succeeded, whatever else was under way is cancelled.
    Result<void> removed(const model::Jail& row, const std::vector<std::string>& progress);
    /// An event that is about no operation.
    Result<void> note(const std::string& jail, const Note& note);

private:
    store::Store& store_;
    Clock& clock_;
};

/// Trying again cannot help: the operation fails at once. The jail itself is tried again all the same.
[[nodiscard]] bool is_permanent(const Error& error);

}  // namespace jaild::reconcile
