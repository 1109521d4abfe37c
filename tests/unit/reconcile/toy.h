#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/reconcile/effective.h"
#include "core/reconcile/plan.h"
#include "tests/results.h"

/// A toy of a kernel for one jail: a step that comes before what it stands on fails the test.
namespace jaild::reconcile_test {

using namespace jaild::reconcile;
using test::value_of;

using Steps = std::vector<std::string>;

model::Network default_network();
/// Jail "web", id 1, generation 1, incarnation 1, wanted on `default` with two mounts beneath its root.
Desired wanted_web();
/// The same with a second interface, on network `lab`, which has gateways too.
Desired wanted_on_two_networks();
/// The same, but its row says something else.
Desired stopped(Desired desired);
Desired removed(Desired desired);
Desired restarted(Desired desired);
/// Generation + 1.
Desired changed(Desired desired, const std::function<void(model::JailSpec&)>& change);

Steps texts(const Plan& plan);
bool contains(const Steps& steps, const std::string& step);

class Toy {
public:
    Observed observed;
    std::set<std::string> datasets;  ///< that the jail was given
    bool row = true;                 ///< until it is forgotten
    std::int64_t now = 0;            ///< of the last exit
    int command_runs = 0;            ///< how often the user's command was started
    int start_runs = 0;
    int stop_runs = 0;
    model::HookSet hooks;  ///< since the last poststop

    /// Does the steps of one plan, up to `count` of them; what they were.
    Steps do_once(const Desired& desired, std::size_t count = SIZE_MAX);
    /// Again and again until the plan is empty; the test fails if it never is. All steps.
    Steps converge(const Desired& desired);
    /// A whole, running jail.
    static Toy running(const Desired& desired);

    /// What an administrator, or fate, does.
    void kill_jail();  ///< remains stay
    void lose_jail();  ///< nothing of it stays; its host was switched off, say
    void kill_shim();
    void end_command(int exit_code = 0, Milliseconds ran = {});
    void reboot();

private:
    void apply(const Desired& desired, const Observed& before, const Step& step);
    void build(const Desired& desired, const Observed& before, const Step& step);
    void take_down(const Desired& desired, const Observed& before, const Step& step);
    void run_hook(model::Hook hook);
    void run(const Desired& desired, const Step& step);
    void unmount(const std::string& target);
    [[nodiscard]] bool mounted(const std::string& target) const;
    [[nodiscard]] bool lives() const { return alive(observed); }
};

}  // namespace jaild::reconcile_test
