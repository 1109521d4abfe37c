#include "core/health/fair_deadline.h"

#include <algorithm>
#include <memory>

namespace jaild::health {
namespace {

constexpr Milliseconds kGrace{100};
constexpr int kGraces = 10;

Clock::Monotonic now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

void Pulse::enter() {
    if (users_++ > 0) return;
    due_ = now() + kBeat;
    beat();
}

void Pulse::leave() {
    if (--users_ > 0) return;
    stolen_ += lateness();
    timer_.cancel();
}

Pulse::Duration Pulse::lateness() const {
    const auto late = now() - due_;
    return users_ == 0 || late <= kUsual ? Duration{0} : late;
}

Pulse::Duration Pulse::stolen() const {
    return stolen_ + lateness();
}

void Pulse::beat() {
    timer_.expires_at(due_);
    timer_.async_wait([this](const boost::system::error_code& failed) {
        if (failed || users_ == 0) return;
        stolen_ += lateness();
        due_ = now() + kBeat;
        beat();
    });
}

struct FairDeadline::State {
    State(boost::asio::io_context& io, Pulse& the_pulse) : pulse(the_pulse), timer(io) {}
    Pulse& pulse;
    boost::asio::steady_timer timer;
    Clock::Monotonic begun = now();
    Pulse::Duration stolen_before{0};
    Milliseconds timeout{0};
    int graces = 0;
    bool over = false;
    std::function<bool()> answered;
    std::function<void()> expired;
};

FairDeadline::FairDeadline(boost::asio::io_context& io, Pulse& pulse, Milliseconds timeout,
                           std::function<bool()> answered, std::function<void()> expired)
    : pulse_(pulse), state_(std::make_shared<State>(io, pulse)) {
    pulse_.enter();
    state_->stolen_before = pulse.stolen();
    state_->timeout = timeout;
    state_->answered = std::move(answered);
    state_->expired = std::move(expired);
    wait(state_, state_->begun + timeout);
}

FairDeadline::~FairDeadline() {
    state_->over = true;
    state_->timer.cancel();
    pulse_.leave();
}

void FairDeadline::wait(const std::shared_ptr<State>& state, Clock::Monotonic until) {
    state->timer.expires_at(until);
    state->timer.async_wait([state](const boost::system::error_code&) {
        if (!state->over) look(state);
    });
}

void FairDeadline::look(const std::shared_ptr<State>& state) {
    const auto until = state->begun + state->timeout + (state->pulse.stolen() - state->stolen_before);
    if (now() < until) return wait(state, until);
    if (state->answered() && state->graces++ < kGraces) return wait(state, now() + kGrace);
    state->over = true;
    state->expired();
}

}  // namespace jaild::health
