#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild::kernel::freebsd {

/// What the kernel tells devd(8), which passes it on to ten clients at most: one of them, in a thread of its own. While
/// devd is not there, it is tried again, after a second first and each minute at last; what it is told meanwhile is
/// lost. /dev/devctl itself is devd's alone.
class DevdListener {
public:
    static constexpr const char* kSocket = "/var/run/devd.seqpacket.pipe";

    using OnLine = std::function<void(std::string_view)>;
    explicit DevdListener(std::filesystem::path socket = kSocket) : socket_(std::move(socket)) {}
    DevdListener(const DevdListener&) = delete;
    DevdListener& operator=(const DevdListener&) = delete;
    ~DevdListener();

    /// Once. `on_line` is called by the thread, with one message each.
    Result<void> start(OnLine on_line);
    /// Any thread. The Error of the last try, Errc::kernel before the first.
    [[nodiscard]] Result<void> listening() const;

private:
    void run();
    Result<void> connect();
    void read_all();
    /// False: it is over.
    bool wait(int descriptor, std::chrono::milliseconds longest) const;
    void tell(Result<void> now);

    const std::filesystem::path socket_;
    OnLine on_line_;
    Pipe end_;
    UniqueFd connection_;  ///< the thread's own
    std::atomic<bool> ending_ = false;
    mutable std::mutex mutex_;
    Result<void> listening_ = std::unexpected(Error{.code = Errc::kernel, .op = "connect", .detail = "not tried yet"});
    std::thread thread_;
};

}  // namespace jaild::kernel::freebsd
