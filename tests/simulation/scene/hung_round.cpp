#include "tests/simulation/scene/hung_round.h"

#include <utility>

#include "core/kernel/memory/faults.h"

namespace jaild::simulation {

HungRound::HungRound(JailId id, unsigned after, std::function<Result<void>()> round)
    : id_(id), left_(after), thread_([this, round = std::move(round)] { play(round); }) {}

HungRound::~HungRound() {
    if (!ended_) {
        dead_ = true;
        go_on();
    }
    thread_.join();
}

void HungRound::go_on(Result<void> returned) {
    returned_ = std::move(returned);
    hangs_in_ = {};
    give(Turn::round);
    await(Turn::scene);
}

Result<void> HungRound::result() {
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    return result_;
}

Result<void> HungRound::meet(std::string_view call, JailId of) {
    // The files that jails have of each other are written for all of them at once.
    if (hung_ || of != id_ || call == "roots.write_hosts" || left_-- > 0) return {};
    hung_ = true;
    hangs_in_ = call;
    give(Turn::scene);
    await(Turn::round);
    if (dead_) throw kernel::memory::Crash(0, call);
    return std::exchange(returned_, {});
}

void HungRound::give(Turn turn) {
    const std::lock_guard lock(mutex_);
    turn_ = turn;
    changed_.notify_all();
}

void HungRound::await(Turn turn) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == turn; });
}

void HungRound::play(const std::function<Result<void>()>& round) {
    await(Turn::round);
    try {
        if (!dead_) result_ = round();
    } catch (...) {
        thrown_ = std::current_exception();
    }
    ended_ = true;
    give(Turn::scene);
}

}  // namespace jaild::simulation
