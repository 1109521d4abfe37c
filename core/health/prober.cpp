#include "core/health/prober.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "core/base/random.h"

namespace jaild::health {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kBlocking = 8;  ///< threads: starts of programs, and connections
/// So many are under way at once; each has a descriptor or a few.
constexpr unsigned kMostAtOnce = 128;

/// Up to a twentieth shorter or longer, so that those that began together do not stay so.
Milliseconds jittered(Milliseconds interval) {
    const auto span = interval.count() / 10;
    if (span <= 0) return interval;
    return interval - Milliseconds{span / 2} +
           Milliseconds{static_cast<std::int64_t>(random_below(static_cast<std::uint64_t>(span)))};
}

Milliseconds within(Milliseconds spread) {
    if (spread.count() <= 0) return Milliseconds{0};
    return Milliseconds{static_cast<std::int64_t>(random_below(static_cast<std::uint64_t>(spread.count())))};
}

}  // namespace

/// All but the constructor and stop() runs on its thread.
class Prober::Loop {
public:
    Loop(kernel::Kernel& kernel, Listener listener)
        : kernel_(kernel), listener_(std::move(listener)), guard_(asio::make_work_guard(io_)) {
        thread_ = std::thread([this] { run(); });
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    ~Loop() {
        asio::post(io_, [this] {
            stopping_ = true;
            while (!entries_.empty()) drop(entries_.begin()->first);
            guard_.reset();
        });
        thread_.join();
        pool_.join();
    }

    void follow(Target target, Milliseconds spread) {
        asio::post(io_, [this, target = std::move(target), spread] { begin(target, spread); });
    }
    void forget(JailId id) {
        asio::post(io_, [this, id] { drop(id); });
    }

private:
    struct Entry {
        Entry(asio::io_context& io, Target whom) : target(std::move(whom)), sleep(io) {}
        Target target;
        asio::steady_timer sleep;
        asio::cancellation_signal end;
        Milliseconds wait{0};
        bool changed = false;  ///< since it was asked last
        bool gone = false;
    };
    using Held = std::shared_ptr<Entry>;

    void run() {
        for (;;) {
            try {
                io_.run();
                return;
            } catch (const std::exception& thrown) {
                spdlog::error("health probes: {}", thrown.what());
            }
        }
    }

    void begin(const Target& target, Milliseconds spread) {
        if (stopping_) return;
        if (const auto found = entries_.find(target.id); found != entries_.end()) {
            auto& entry = *found->second;
            entry.target = target;
            entry.wait = within(spread);
            entry.changed = true;
            entry.sleep.cancel();
            return;
        }
        auto entry = std::make_shared<Entry>(io_, target);
        entry->wait = within(spread);
        entries_[target.id] = entry;
        asio::co_spawn(io_, watch(entry), asio::bind_cancellation_slot(entry->end.slot(), [entry](std::exception_ptr) {
                           // It was told to end, or has no memory left: a follower is asked again at the next sweep.
                           entry->gone = true;
                       }));
    }

    void drop(JailId id) {
        const auto found = entries_.find(id);
        if (found == entries_.end()) return;
        const auto entry = found->second;
        entries_.erase(found);
        entry->gone = true;
        entry->end.emit(asio::cancellation_type::terminal);
    }

    asio::awaitable<void> watch(Held entry) {
        constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);
        while (!entry->gone) {
            entry->changed = false;
            entry->sleep.expires_after(entry->wait);
            co_await entry->sleep.async_wait(kQuietly);
            if (entry->gone) co_return;
            if (entry->changed) continue;
            while (under_way_ >= kMostAtOnce && !entry->gone) {
                entry->sleep.expires_after(Milliseconds{20 + static_cast<std::int64_t>(random_below(20))});
                co_await entry->sleep.async_wait(kQuietly);
            }
            if (entry->gone) co_return;
            const Target target = entry->target;
            const Outcome outcome = co_await ask(target);
            if (entry->gone) co_return;
            // Another life, or another question, by now.
            if (entry->changed) continue;
            entry->wait = jittered(listener_(target, outcome));
        }
    }

    asio::awaitable<Outcome> ask(Target target) {
        struct Count {
            unsigned& number;
            explicit Count(unsigned& counted) : number(counted) { ++number; }
            ~Count() { --number; }
        } const count(under_way_);
        const Surroundings around{.io = io_, .pool = pool_, .pulse = pulse_, .kernel = kernel_};
        std::string thrown;
        try {
            if (target.spec.kind == model::ProbeKind::exec) {
                Outcome by_program = co_await probe_by_program(around, target);
                co_return by_program;
            }
            Outcome by_network = co_await probe_by_network(around, target);
            co_return by_network;
        } catch (const std::exception& caught) {
            thrown = caught.what();
        }
        co_return failure(thrown);
    }

    kernel::Kernel& kernel_;
    Listener listener_;
    asio::io_context io_{1};
    Pulse pulse_{io_};
    asio::thread_pool pool_{kBlocking};
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    std::map<JailId, Held> entries_;
    unsigned under_way_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

Prober::Prober(kernel::Kernel& kernel, Listener listener)
    : loop_(std::make_unique<Loop>(kernel, std::move(listener))) {}

Prober::~Prober() {
    stop();
}

void Prober::follow(const Target& target, Milliseconds spread) {
    const std::lock_guard lock(mutex_);
    if (!loop_) return;
    const auto [known, fresh] = known_.try_emplace(target.id, target);
    if (!fresh && known->second == target) return;
    known->second = target;
    loop_->follow(target, spread);
}

void Prober::forget(JailId id) {
    const std::lock_guard lock(mutex_);
    if (loop_ && known_.erase(id) > 0) loop_->forget(id);
}

void Prober::stop() {
    std::unique_ptr<Loop> ending;
    {
        const std::lock_guard lock(mutex_);
        ending = std::move(loop_);
    }
}

}  // namespace jaild::health
