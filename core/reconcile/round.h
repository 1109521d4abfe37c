#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/reconcile/engine.h"

namespace jaild::reconcile {

/// One jail from what it is to what it should be: observe, plan, apply, until nothing is left to do or a step fails.
/// Blocking; one at a time for each jail (Board::enter).
class Round {
public:
    /// Told before each step how long it may take beyond the usual. False: it must not begin now.
    using Expect = std::function<bool(Milliseconds)>;

    Round(Engine& engine, JailId id, Expect expect) : engine_(engine), id_(id), expect_(std::move(expect)) {}

    /// The error of the failed step, which the board remembers. A std::exception is one too.
    Result<void> run();

private:
    /// A plan made from one observation.
    struct Look {
        Observed observed;
        Desired desired;
        Plan steps;
    };
    enum class Pass { again, settled, forgotten };

    Result<void> run_passes();
    Result<bool> load();
    Result<Pass> pass();
    Result<Look> look();
    Result<void> look_at_rules(Look& look);
    Result<void> see_rules(Look& look);
    Result<void> learn_all();
    Result<void> prepare(const Look& look);
    Result<Pass> do_steps(const Look& look);
    void note_breaches(const Observed& observed);
    void note_restart(const Observed& observed);
    Result<Pass> start_over();
    Result<void> do_step(const Look& look, const Step& step);
    void tell_rules(const Look& look, const Step& step);
    Result<void> refresh_root(const Look& look, const Step& step);
    bool goes_on_without(const Step& step, const Error& error);
    Error with_last_words(Error error);
    Result<void> undo_start(const Error& error);
    bool does_without(const Look& look, const Step& step, const Error& error);
    Result<void> check_cpus(const std::string& cpus);
    Result<void> survey();
    Result<void> check_addresses_left(const model::Jail& jail);
    Result<void> check_datasets_left(const model::Jail& jail);
    Result<void> ensure_networks(const Look& look);
    Result<void> ensure_network(const model::Network& network);
    void begin_doing(std::string_view what, Milliseconds allowed);
    void tell_duration(std::string_view what, Clock::Monotonic begun) const;
    void release_networks();
    Result<void> forget();
    Result<void> root_changed(const Step& step);
    Result<bool> give_up_root_change(const Step& step, const Error& error);
    Result<void> upgrade_root();
    Result<Pass> judge_upgrade();
    Result<Pass> take_back_upgrade(const Failure& failure);
    Result<void> settle(const Look& look);
    std::optional<Observed> observed_now();
    Result<void> fail(Failure failure);
    std::vector<Note> notes_of(const Look& look, model::JailState state);

    Engine& engine_;
    JailId id_;
    Expect expect_;

    std::optional<model::Jail> row_;  ///< as it is held to
    bool held_back_ = false;          ///< a halt keeps it from what the stored row asks
    std::vector<model::Network> networks_;
    std::uint64_t asked_ = 0;         ///< when the row was read
    int changes_ = 0;                 ///< so often something else was asked for since
    std::string current_;             ///< step, for a failure
    Plan last_;                       ///< done to its end
    std::optional<Desired> desired_;  ///< of the last look
    std::set<NetworkId> released_;    ///< something of the jail's left them
    std::optional<Failure> undoing_;  ///< of a hook of the start: what was made of the jail goes first
    bool restarted_ = false;          ///< by its restart policy, in this round
    std::vector<std::string> done_;   ///< steps of this round
    std::vector<Note> notes_;         ///< of this round
};

}  // namespace jaild::reconcile
