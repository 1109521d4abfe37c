#include "core/kernel/shim/shim_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/local_socket.h"
#include "core/kernel/shim/protocol/lock_file.h"
#include "core/kernel/shim/protocol/paths.h"

namespace jaild::kernel {
namespace {

using shim::Channel;
using shim::MessageType;
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{5'000};

}  // namespace

ShimWatch::~ShimWatch() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    if (!thread_.joinable()) return;
    wake();
    thread_.join();
}

Result<void> ShimWatch::start(OnChange on_change) {
    auto waker = Pipe::create();
    if (!waker) return std::unexpected(waker.error());
    ::fcntl(waker->read.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(waker->write.get(), F_SETFL, O_NONBLOCK);
    on_change_ = std::move(on_change);
    {
        const std::lock_guard lock(mutex_);
        waker_ = *std::move(waker);
    }
    thread_ = std::thread([this] { run(); });
    return {};
}

void ShimWatch::add(JailId id) {
    const std::lock_guard lock(mutex_);
    added_.insert(id);
    wake();
}

void ShimWatch::wake() const {
    // A full pipe wakes as well.
    if (waker_.write) [[maybe_unused]]
        const auto put = ::write(waker_.write.get(), "", 1);
}

void ShimWatch::run() {
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (ending_) return;
        }
        take_added();
        connect_all(std::chrono::steady_clock::now());
        wait(std::chrono::steady_clock::now());
    }
}

void ShimWatch::take_added() {
    std::set<JailId> added;
    {
        const std::lock_guard lock(mutex_);
        added.swap(added_);
    }
    for (const auto id : added) {
        auto& watched = watched_[id];
        watched.next_try = {};
        watched.pause = kFirstPause;
    }
}

void ShimWatch::connect_all(Time now) {
    for (auto at = watched_.begin(); at != watched_.end();) {
        auto& [id, watched] = *at;
        if (watched.channel || watched.next_try > now || connect(id, watched))
            ++at;
        else
            at = watched_.erase(at);  // nobody holds it: the next hold() adds it again
    }
}

/// False: there is no such shim any more. What only cannot be seen now is tried again.
bool ShimWatch::connect(JailId id, Watched& watched) {
    watched.next_try = std::chrono::steady_clock::now() + watched.pause;
    watched.pause = std::min(2 * watched.pause, kLongestPause);
    const auto directory = files::open_beneath(state_.get(), shim::directory_of(id), O_RDONLY | O_DIRECTORY);
    if (!directory) return directory.error().code != Errc::not_found;
    const auto holder = shim::holder_of(directory->get());
    if (!holder) return true;
    if (!*holder) return false;
    auto socket = shim::connect_in(directory->get(), shim::kSocketName);
    if (!socket) return true;
    Channel channel(out_of_the_way(*std::move(socket)));
    const auto hello =
        shim::Hello{.version = shim::kProtocolVersion, .program = "jaild " JAILD_VERSION, .pid = ::getpid()};
    // Both at once: no answer is waited for here, so a shim that hangs does not keep the others' events.
    if (!channel.queue(MessageType::hello, hello.encode()) || !channel.queue(MessageType::subscribe, {})) return true;
    if (channel.send() == Channel::State::closed || channel.unsent() > 0) return true;
    watched.channel = std::move(channel);
    return true;
}

void ShimWatch::wait(Time now) {
    std::vector<pollfd> polled{{.fd = waker_.read.get(), .events = POLLIN, .revents = 0}};
    std::vector<JailId> ids{JailId{}};
    auto pause = std::chrono::milliseconds{-1};
    for (const auto& [id, watched] : watched_) {
        if (watched.channel) {
            polled.push_back({.fd = watched.channel->descriptor(), .events = POLLIN, .revents = 0});
            ids.push_back(id);
            continue;
        }
        const auto left = std::max(std::chrono::ceil<std::chrono::milliseconds>(watched.next_try - now),
                                   std::chrono::milliseconds{0});
        pause = pause.count() < 0 ? left : std::min(pause, left);
    }
    if (::poll(polled.data(), static_cast<nfds_t>(polled.size()), static_cast<int>(pause.count())) <= 0) return;
    if (polled[0].revents != 0) {
        std::array<char, 64> bytes{};
        while (::read(waker_.read.get(), bytes.data(), bytes.size()) > 0) continue;
    }
    for (std::size_t i = 1; i < polled.size(); ++i)
        if (polled[i].revents != 0) read(ids[i], watched_.at(ids[i]));
}

void ShimWatch::read(JailId id, Watched& watched) {
    const auto state = watched.channel->receive();
    bool changed = state == Channel::State::closed;
    while (const auto frame = watched.channel->next()) {
        // `done` is the subscription's own answer: what happened before it is news as well.
        changed = changed || frame->type == MessageType::event || frame->type == MessageType::done;
        if (frame->type == MessageType::done) watched.pause = kFirstPause;
    }
    if (state == Channel::State::closed) {
        watched.channel.reset();
        watched.next_try = std::chrono::steady_clock::now() + watched.pause;
    }
    if (changed) on_change_(id);
}

}  // namespace jaild::kernel
