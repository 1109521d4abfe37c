#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>

#include "core/base/error.h"
#include "core/base/ids.h"

namespace jaild::simulation {

/// A round on a thread of its own, so that a call of the kernel can hang in it. Either thread waits while the other
/// one runs: a history is the same each time that it is played. One that still hangs at the end of this object does not
/// return from its call: it ends as with its daemon.
class HungRound {
public:
    /// `after`: so many calls for this jail return before the one that hangs.
    HungRound(JailId id, unsigned after, std::function<Result<void>()> round);
    ~HungRound();
    HungRound(const HungRound&) = delete;
    HungRound& operator=(const HungRound&) = delete;

    /// Until a call hangs, or the round has ended: the caller waits. A call that hung returns `returned`.
    void go_on(Result<void> returned = {});
    [[nodiscard]] bool hangs() const { return !hangs_in_.empty(); }
    [[nodiscard]] std::string_view hangs_in() const { return hangs_in_; }
    /// Of a round that has ended: what it returned. Throws what it threw.
    Result<void> result();

    /// This thread is the round's.
    [[nodiscard]] bool is_here() const { return std::this_thread::get_id() == thread_.get_id(); }
    /// The round calls the kernel, on its thread: what the call is to return at once, which is an Error then.
    Result<void> meet(std::string_view call, JailId of);

private:
    enum class Turn { scene, round };
    void give(Turn turn);
    void await(Turn turn);
    void play(const std::function<Result<void>()>& round);

    const JailId id_;
    unsigned left_;      ///< calls until the one that hangs
    bool hung_ = false;  ///< by now
    bool ended_ = false;
    bool dead_ = false;  ///< its daemon is
    std::string_view hangs_in_{};
    Result<void> returned_{};
    Result<void> result_{};
    std::exception_ptr thrown_{};
    std::mutex mutex_;
    std::condition_variable changed_;
    Turn turn_ = Turn::scene;
    std::thread thread_;
};

}  // namespace jaild::simulation
