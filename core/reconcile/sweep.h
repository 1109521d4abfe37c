#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/reconcile/engine.h"
#include "core/reconcile/residue.h"

namespace jaild::reconcile {

enum class Thoroughness {
    quick,  ///< jails, links, mounts, bridges
    full,   ///< limits, storage, packet filter and forwarding too
    first,  ///< and operations that an earlier daemon left
};

/// From the end of a resync that took so long to the next one: at least `least`, and of a host with so many jails that
/// a look at them takes long no more than one part in twenty of the time, but at most `most`. Pure.
Milliseconds pause_after(Milliseconds took, Milliseconds least, Milliseconds most);

/// One look at everything: each port is asked once, each jail is compared without another call (but for its own files).
/// Statuses follow what was seen, networks are brought up or down, residue is cleared. Blocking; one at a time.
class Sweep {
public:
    explicit Sweep(Engine& engine) : engine_(engine), residue_(engine) {}

    struct Due {
        std::vector<JailId> differ{};     ///< a round has something to do
        std::vector<JailId> recovered{};  ///< the last round failed, but nothing is left to do
        /// The first error of a network, a residue or a jail's files: none of them keeps a jail from its round.
        Result<void> swept{};
    };
    /// `busy`: those that have a round already are left alone, and differ at the first look. An error: jails, or what
    /// there is of them, could not be listed, so that nothing is known of any of them.
    Result<Due> run(Thoroughness thoroughness, const std::function<bool(JailId)>& busy);

    /// As the last look found them: those of `jails` that should run, and of which nothing lives.
    [[nodiscard]] std::vector<JailId> to_start(const std::vector<JailId>& jails) const;
    [[nodiscard]] bool wants(JailId id) const;
    [[nodiscard]] Residue& residue() { return residue_; }

private:
    enum class Verdict { fine, differs, recovered };
    Verdict judge(const model::Jail& row, Observed observed, const Memory& memory);
    Result<void> collect();
    void forget_the_gone(const std::function<bool(JailId)>& busy);
    Result<void> survey();
    void judge_all(Thoroughness thoroughness, const std::function<bool(JailId)>& busy, Due& due);
    Result<void> collect_limits();
    Result<void> collect_storage();
    void learn_policies();
    Result<void> collect_rules();
    Result<void> add_unfinished(Due& due);
    Result<void> sweep_residue(const std::function<bool(JailId)>& busy);
    Result<void> sweep_networks(Thoroughness thoroughness);
    Result<void> sweep_network(const model::Network& network, Thoroughness thoroughness);
    Result<void> sweep_unknown_networks(Thoroughness thoroughness);
    Result<std::set<NetworkId>> unknown_networks(Thoroughness thoroughness);
    void complain(const std::string& about, const std::string& problem);
    [[nodiscard]] bool in_use(const model::Network& network) const;
    void remember_whole_ones();

    Engine& engine_;
    Residue residue_;
    std::map<JailId, Observed> found_;
    std::map<JailId, Memory> memories_;  ///< from before the look
    std::set<JailId> unread_;            ///< their files could not be read
    std::vector<model::Jail> rows_;      ///< from after it, as held to: what has no row then is residue
    std::vector<model::Network> networks_;
    std::vector<kernel::ObservedBridge> bridges_;
    std::map<std::string, std::string> complaints_;  ///< what was logged last, and is not mended since
};

}  // namespace jaild::reconcile
