#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/reconcile/reconciler.h"
#include "core/store/store.h"
#include "tests/hooked_kernel.h"
#include "tests/simulation/scene/clock.h"
#include "tests/simulation/scene/hung_round.h"
#include "tests/simulation/scene/scene_store.h"
#include "tests/simulation/scene/striking_store.h"

namespace jaild::simulation {

/// How a round of the reconciler ended.
enum class Round { done, failed, hung, crashed };

/// What a running jail was made with: a restart field changes it only when the jail is made again.
struct MadeWith {
    std::int64_t jid = 0;
    model::JailSpec spec;
    std::vector<model::AssignedInterface> interfaces;
    bool hint_lost = false;  ///< since then the daemon takes it for what the row asks, and runs nothing more in it
};

/// What the users did to a jail, as far as a check needs it.
struct History {
    std::size_t starts_asked = 0;  ///< how often its command may have been started, at most
    bool disturbed = false;   ///< killed by hand since the last restart that was asked for: a command is not repeated
    bool new_policy = false;  ///< since then: what the old one left is not run again
    /// Somebody asked for a start of a jail with that spec, or it may be made anew for another reason.
    void may_start(const model::JailSpec& spec) { starts_asked += 1 + spec.restart.max_retries; }
};

/// One machine with one jaild: the real store in memory, the real reconciler driven by hand on this thread (a round
/// that hangs has one of its own, and waits on it), a model of a kernel, and users. A crash throws the reconciler away;
/// store and kernel stay, as after kill -9.
class Scene {
public:
    explicit Scene(const kernel::memory::MemoryOptions& options = {}, Keeping keeping = Keeping::in_memory);

    // Users. Each is one transaction, as the supervisor writes it, and a poke; no fault strikes here.
    Result<JailId> create(const model::NamedSpec& spec);
    Result<void> update(JailId id, const model::JailSpec& spec);
    Result<void> restart(JailId id);
    Result<void> remove(JailId id);
    /// Of a jail that has a root, and none that is to become it; whole at once.
    Result<SnapshotId> take_snapshot(JailId id);
    /// Of the jail itself.
    Result<void> restore(JailId id, SnapshotId from);
    /// To the other version of its template.
    Result<void> upgrade(JailId id);
    /// A new jail whose root comes out of an archive; it goes when the daemon is killed before end_import().
    Result<JailId> import(const model::NamedSpec& spec);
    enum class Archive { whole, cut_off };
    /// Nothing for a jail that is not imported any more.
    void end_import(JailId id, Archive archive);
    /// A new jail with that root.
    Result<JailId> clone(const model::NamedSpec& spec, SnapshotId from);
    /// The same for networks. Refused is what the supervisor refuses because of what runs; whether a network is good
    /// in itself is for the caller to know.
    Result<void> create_network(const model::Network& network);
    Result<void> update_network(const model::Network& network);
    Result<void> remove_network(const model::Network& network);

    // The daemon.
    Round reconcile(JailId id);
    /// A call of the kernel's for this jail hangs, after so many others, unless the round ends before it comes to it.
    Round reconcile_and_hang(JailId id, unsigned after);
    /// The call returns that, and the round goes on to its end. For those of hung().
    Round let_go(JailId id, Result<void> returned);
    [[nodiscard]] std::vector<JailId> hung() const;
    /// The call; empty when none hangs.
    [[nodiscard]] std::string_view hangs_in(JailId id) const;
    Round resync();
    /// All jails once, networks and residue first.
    Round round();
    void kill_daemon();
    /// With the daemon dead, somebody deletes its database (Keeping::on_disk), and has it made again from the records.
    void lose_database();
    /// Nothing can be written any more, rows and files, until there is room again.
    void fill_disk(bool full);
    /// Until it is made anew, or recovers, all probes of the jail fail; those of any other succeed. False: it has none.
    bool fall_ill(JailId id);
    void recover(JailId id) { ill_.erase(id); }
    /// How often jails of that name have.
    [[nodiscard]] std::size_t illnesses(const model::Name& name) { return illnesses_[name.key()]; }

    /// How the daemon looks after its jails: the resync alone must do as well as a round for each.
    enum class Care { rounds, resyncs };
    /// Faults off, nature calm; what is imported arrives.
    void calm();
    /// What hangs returns.
    void let_all_go();
    /// Until nothing changes any more: the number of rounds, or nothing when that does not happen within `limit`.
    std::optional<std::size_t> come_to_rest(Care care, std::size_t limit = 24);
    /// All three.
    std::optional<std::size_t> settle(Care care = Care::rounds);

    [[nodiscard]] std::vector<model::Jail> jails();
    [[nodiscard]] std::optional<model::Jail> jail(JailId id);
    [[nodiscard]] std::vector<model::Operation> operations();
    [[nodiscard]] std::vector<model::Event> events();
    [[nodiscard]] std::vector<model::Network> networks();
    [[nodiscard]] std::vector<model::Snapshot> snapshots();
    [[nodiscard]] const std::map<JailId, MadeWith>& made_with() const { return made_with_; }
    /// It should run, does not live, and a jail that it needs does not run: it waits.
    [[nodiscard]] bool waits(const model::Jail& jail);
    /// The hint of what was applied to a jail is deleted by hand.
    bool lose_hint(JailId id);
    [[nodiscard]] History& history(JailId id) { return history_[id]; }
    [[nodiscard]] kernel::MemoryKernel& kernel() { return kernel_; }
    [[nodiscard]] const InstanceId& kernel_instance() const { return store_->instance(); }
    [[nodiscard]] reconcile::Reconciler& reconciler() { return *reconciler_; }
    [[nodiscard]] SimulatedClock& clock() { return clock_; }
    /// What was seen after a round and must never be: a jail of ours, dying ones too, that has no row any more.
    [[nodiscard]] const std::vector<std::string>& offences() const { return offences_; }
    /// The last error that a round returned.
    [[nodiscard]] const std::string& last_error() const { return last_error_; }

private:
    template <class Work>
    Round drive(Work&& work);
    Result<void> note(store::Writer& writer, const model::Jail& jail, std::string_view kind);
    Result<void> check_left(const model::Network& network);
    void probe_all();
    void may_be_followed(JailId id);
    void notice_new_jails();
    void notice_offences();
    void notice_lost(const std::vector<model::Jail>& before);
    std::string picture();
    [[nodiscard]] bool is_dying() const;
    [[nodiscard]] bool is_working();
    void start_daemon();
    Result<void> meet(std::string_view call, JailId id);
    void poke(JailId id);

    SimulatedClock clock_;
    SceneStore store_;
    test::HookedKernel kernel_;
    StrikingStore striking_store_;
    std::unique_ptr<reconcile::Reconciler> reconciler_;
    std::map<JailId, std::unique_ptr<HungRound>> hung_;  ///< of this daemon
    std::map<JailId, model::Jail> hung_rows_;            ///< what such a round began with, if it goes by that still
    std::map<JailId, model::Jail> created_from_;         ///< the row, when the kernel was last asked to make the jail
    std::vector<std::string> operation_ids_;
    std::map<JailId, MadeWith> made_with_;
    std::map<JailId, History> history_;
    std::map<JailId, std::int64_t> ill_;  ///< the jid that is
    std::map<std::string, std::size_t> illnesses_;
    std::set<JailId> lost_hints_;  ///< not written again yet
    int snapshots_taken_ = 0;
    std::string last_error_;
    std::vector<std::string> offences_;
};

/// The value, or std::runtime_error: for what a simulation cannot go on without.
template <class T>
T expect(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace jaild::simulation
