#include "core/kernel/freebsd/devd_listener.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace jaild::kernel::freebsd {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstPause{1'000};
constexpr milliseconds kLongestPause{60'000};
/// DEVCTL_MAXBUF of devd.cc is 1024.
constexpr std::size_t kLongestLine = 4'096;

}  // namespace

DevdListener::~DevdListener() {
    if (!thread_.joinable()) return;
    ending_ = true;
    end_.write.reset();
    thread_.join();
}

Result<void> DevdListener::start(OnLine on_line) {
    auto end = Pipe::create();
    if (!end) return std::unexpected(end.error());
    end_ = *std::move(end);
    on_line_ = std::move(on_line);
    thread_ = std::thread([this] { run(); });
    return {};
}

Result<void> DevdListener::listening() const {
    const std::lock_guard lock(mutex_);
    return listening_;
}

void DevdListener::run() {
    auto pause = kFirstPause;
    do {
        const auto begun = steady_clock::now();
        auto connected = connect();
        tell(connected);
        if (connected) {
            read_all();
            if (ending_) return;
            tell(std::unexpected(Error::from_errno("read", ECONNRESET, socket_.native())));
        }
        // One that is dropped again and again is not welcome.
        if (steady_clock::now() - begun > kLongestPause) pause = kFirstPause;
    } while (wait(-1, std::exchange(pause, std::min(2 * pause, kLongestPause))));
}

/// At once, as local sockets are: a full queue of devd's is ECONNREFUSED.
Result<void> DevdListener::connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto& path = socket_.native();
    if (path.size() >= sizeof address.sun_path)
        return std::unexpected(Error::from_errno("connect", ENAMETOOLONG, path));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd opened(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!opened) return std::unexpected(Error::from_errno("socket", errno, path));
    if (::connect(opened.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return std::unexpected(Error::from_errno("connect", errno, path));
    connection_ = std::move(opened);
    return {};
}

void DevdListener::read_all() {
    std::array<char, kLongestLine> line{};
    while (wait(connection_.get(), milliseconds{-1})) {
        const auto size = ::read(connection_.get(), line.data(), line.size());
        if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (size <= 0) break;
        on_line_(std::string_view(line.data(), static_cast<std::size_t>(size)));
    }
    connection_.reset();
}

bool DevdListener::wait(int descriptor, milliseconds longest) const {
    std::array<pollfd, 2> watched{
        {{.fd = end_.read.get(), .events = POLLIN, .revents = 0}, {.fd = descriptor, .events = POLLIN, .revents = 0}}};
    ::poll(watched.data(), static_cast<nfds_t>(watched.size()), static_cast<int>(longest.count()));
    return !ending_;
}

/// Once, however long it lasts.
void DevdListener::tell(Result<void> now) {
    const std::lock_guard lock(mutex_);
    const bool first = !listening_ && listening_.error().sys == 0;
    if (!now && (first || listening_))
        spdlog::warn("devd(8) cannot be listened to: {}; breaches of limits are not told of until it can",
                     now.error().to_string());
    if (now && !first && !listening_) spdlog::info("devd(8) is listened to again");
    listening_ = std::move(now);
}

}  // namespace jaild::kernel::freebsd
