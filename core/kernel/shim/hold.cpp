#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/lock_file.h"
#include "core/kernel/shim/protocol/paths.h"
#include "core/kernel/shim/shim_processes.h"

/// The beginning and the end of a shim.
namespace jaild::kernel {
namespace {

using SteadyClock = std::chrono::steady_clock;
/// Beyond what a new shim takes to end what an old one left behind.
constexpr Milliseconds kReadyPatience{20'000};
/// Beyond the command's SIGTERM at a shim's end.
constexpr Milliseconds kEndPatience{25'000};
constexpr Milliseconds kZombiePatience{1'000};

/// Everything up to the end of file, "ready" or what is wrong.
Result<std::string> read_report(int fd) {
    const auto deadline = SteadyClock::now() + kReadyPatience;
    std::string text;
    std::array<char, 1024> buffer{};
    for (;;) {
        const auto left = std::chrono::ceil<Milliseconds>(deadline - SteadyClock::now()).count();
        pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&one, 1, static_cast<int>(left)) == 0)
            return std::unexpected(
                Error{.code = Errc::busy, .op = "hold", .detail = "jaild-shim is not ready in time"});
        const auto got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        if (got == 0 || text.size() > 4096) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

/// What is waited for here takes a process's last few instructions.
bool wait_until(const std::function<bool()>& condition, Milliseconds patience) {
    const auto deadline = SteadyClock::now() + patience;
    while (!condition()) {
        if (SteadyClock::now() > deadline) return false;
        ::poll(nullptr, 0, 2);
    }
    return true;
}

/// Errc::exhausted and Errc::busy when nobody was asked, or nobody answers. That it ends is for its lock to say; the
/// connection's descriptor may be the last one that there is to look at it.
Result<void> ask_to_end(int directory) {
    auto connection = Connection::open(directory);
    if (!connection && connection.error().code == Errc::exhausted) return std::unexpected(connection.error());
    if (!connection) return {};
    const auto done = connection->ask(shim::MessageType::shutdown, {}, kEndPatience);
    if (!done && done.error().code == Errc::busy) return std::unexpected(done.error());
    return {};
}

}  // namespace

Result<void> ShimProcesses::spawn_shim(JailId id, int directory) {
    auto report = Pipe::create();
    if (!report) return std::unexpected(report.error());
    const auto path = options_.state_directory / shim::directory_of(id);
    const auto spawned = spawn({options_.shim.string(), "--directory", path.string()},
                               {.pass = report->write.get(), .new_session = true});
    if (!spawned) return std::unexpected(spawned.error());
    {
        const std::lock_guard lock(mutex_);
        children_.insert(spawned->pid);
    }
    report->write.reset();
    const auto text = read_report(report->read.get());
    if (!text) return std::unexpected(text.error());
    // Another one may have been quicker: a daemon before us whose last act this was.
    if (*text == "ready") return {};
    const auto holder = shim::holder_of(directory);
    if (!holder) return std::unexpected(holder.error());
    if (*holder) return {};
    return std::unexpected(Error{.code = Errc::kernel,
                                 .op = "hold",
                                 .detail = "jaild-shim did not start: " + (text->empty() ? "it said nothing" : *text),
                                 .reason = "shim_failed"});
}

Result<void> ShimProcesses::hold(JailId id) {
    wait_for_children();
    const auto held = files::make_directories(state_.get(), shim::directory_of(id), 0700);
    if (!held) return std::unexpected(held.error());
    const auto holder = shim::holder_of(held->get());
    if (!holder) return std::unexpected(holder.error());
    if (!*holder)
        if (const auto spawned = spawn_shim(id, held->get()); !spawned) return spawned;
    watch_.add(id);
    return {};
}

Result<void> ShimProcesses::release(JailId id) {
    const auto held = directory(id);
    if (!held && held.error().code == Errc::not_found) return {};
    if (!held) return std::unexpected(held.error());
    const auto holder = shim::holder_of(held->get());
    if (!holder) return std::unexpected(holder.error());
    if (!*holder) return {};
    if (auto asked = ask_to_end(held->get()); !asked) return asked;
    const auto is_released = [&] {
        const auto still = shim::holder_of(held->get());
        return still && !*still;
    };
    if (!wait_until(is_released, kEndPatience))
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "release",
                                     .detail = "the process that holds this jail does not end",
                                     .reason = "shim_not_answering"});
    // It gives up its lock just before it is a zombie of ours, if it is our child at all.
    wait_until([&] { return !wait_for_children().contains((*holder)->pid); }, kZombiePatience);
    return {};
}

}  // namespace jaild::kernel
