#include "core/kernel/freebsd/jail_watch.h"

#include <sys/param.h>
// after <sys/param.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/event.h>
#include <sys/jail.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/kernel/freebsd/our_prisons.h"

namespace jaild::kernel::freebsd {
namespace {

constexpr timespec kLook{.tv_sec = 1, .tv_nsec = 0};
constexpr std::uintptr_t kEnd = 1;
/// What kevent(2) tells at a time; more wait in the kernel.
constexpr std::size_t kEvents = 32;

#if defined(JAIL_GET_DESC) && defined(EVFILT_JAILDESC)
/// jail_get(2), "desc": nothing when the jail is gone, EINVAL from a kernel before 15.0.
Result<UniqueFd> open_descriptor(int jid) {
    int descriptor = -1;
    std::array<char, 4> jid_name{"jid"};
    std::array<char, 5> desc_name{"desc"};
    std::array<iovec, 4> parameters{{{jid_name.data(), jid_name.size()},
                                     {&jid, sizeof jid},
                                     {desc_name.data(), desc_name.size()},
                                     {&descriptor, sizeof descriptor}}};
    if (::jail_get(parameters.data(), parameters.size(), JAIL_GET_DESC) < 0)
        return std::unexpected(Error::from_errno("jail_get", errno, "desc"));
    UniqueFd opened(descriptor);
    ::fcntl(opened.get(), F_SETFD, FD_CLOEXEC);
    return opened;
}

bool add(int queue, int descriptor, JailId id) {
    struct kevent change {};
    EV_SET(&change, static_cast<std::uintptr_t>(descriptor), EVFILT_JAILDESC, EV_ADD, NOTE_JAIL_REMOVE, 0,
           reinterpret_cast<void*>(id.value));
    return ::kevent(queue, &change, 1, nullptr, 0, nullptr) == 0;
}
#else
Result<UniqueFd> open_descriptor(int) {
    return std::unexpected(Error::from_errno("jail_get", EINVAL, "these headers have no jail descriptors"));
}

bool add(int, int, JailId) {
    return false;
}
#endif

}  // namespace

JailWatch::~JailWatch() {
    if (!thread_.joinable()) return;
    ending_ = true;
    struct kevent change {};
    EV_SET(&change, kEnd, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
    ::kevent(queue_.get(), &change, 1, nullptr, 0, nullptr);
    thread_.join();
}

Result<void> JailWatch::start(OnChange on_change) {
    queue_.reset(::kqueue());  // no child inherits it: fork(2)
    if (!queue_) return std::unexpected(Error::from_errno("kqueue", errno));
    struct kevent change {};
    EV_SET(&change, kEnd, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, nullptr);
    if (::kevent(queue_.get(), &change, 1, nullptr, 0, nullptr) != 0)
        return std::unexpected(Error::from_errno("kevent", errno));
    on_change_ = std::move(on_change);
    thread_ = std::thread([this] { run(); });
    return {};
}

void JailWatch::run() {
    while (!ending_) {
        look();
        wait();
    }
}

void JailWatch::look() {
    const auto seen = our_prisons(places_, Scope{});
    if (!seen) {
        spdlog::warn("jails cannot be watched: {}", seen.error().to_string());
        return;
    }
    const auto living = [&seen](JailId id, int jid) {
        const auto found = seen->find(id);
        return found != seen->end() && !found->second.dying && found->second.jid == jid;
    };
    for (auto at = watched_.begin(); at != watched_.end();) {
        const auto id = at->first;
        if (living(id, at->second.jid)) {
            ++at;
            continue;
        }
        at = watched_.erase(at);
        on_change_(id);
    }
    for (const auto& [id, prison] : *seen)
        if (!prison.dying && !watched_.contains(id)) watch(id, prison.jid);
}

void JailWatch::watch(JailId id, int jid) {
    auto& watched = watched_[id];
    watched.jid = jid;
    if (!descriptors_) return;
    auto opened = open_descriptor(jid);
    if (!opened) {
        descriptors_ = opened.error().sys != EINVAL;
        return;
    }
    if (add(queue_.get(), opened->get(), id)) watched.descriptor = *std::move(opened);
}

void JailWatch::wait() {
    std::array<struct kevent, kEvents> events{};
    const int count = ::kevent(queue_.get(), nullptr, 0, events.data(), static_cast<int>(events.size()), &kLook);
    for (int at = 0; at < count; ++at) {
        const auto& event = events[static_cast<std::size_t>(at)];
        if (event.filter == EVFILT_USER) continue;
        const JailId id{static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(event.udata))};
        const auto found = watched_.find(id);
        if (found == watched_.end() || found->second.descriptor.get() != static_cast<int>(event.ident)) continue;
        watched_.erase(found);
        on_change_(id);
    }
}

}  // namespace jaild::kernel::freebsd
