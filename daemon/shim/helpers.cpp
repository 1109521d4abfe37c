#include "daemon/shim/helpers.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

#include "core/base/files.h"
#include "daemon/shim/child.h"
#include "daemon/shim/platform.h"

namespace jaild::shim {
namespace {

constexpr std::size_t kMaxWaiting = 16;

pid_t pid_in(const std::string& path) {
    const auto text = files::read(std::filesystem::path(path), 32);
    pid_t pid = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc{}) return 0;
    return pid;
}

}  // namespace

void Helpers::run(RunHelper request, const Reply& reply) {
    if (waiting_.size() >= kMaxWaiting) return reply.fail("too_many", "too many helpers wait for their turn");
    waiting_.emplace_back(std::move(request), reply);
    begin_next();
}

void Helpers::begin_next() {
    while (current_ == nullptr && !waiting_.empty()) {
        auto [request, reply] = std::move(waiting_.front());
        waiting_.pop_front();
        auto next = std::make_unique<Current>(std::move(request), reply);
        if (const auto begun = begin(*next); !begun)
            reply.fail("not_executed", begun.error().to_string());
        else
            current_ = std::move(next);
    }
}

Result<void> Helpers::begin(Current& current) {
    auto output = Pipe::create();
    auto error_output = Pipe::create();
    if (!output || !error_output) return std::unexpected(output ? error_output.error() : output.error());
    auto child = fork_child({.argv = current.request.argv,
                             .environment = current.request.environment,
                             .descriptors = {-1, output->write.get(), error_output->write.get()}});
    if (!child) return std::unexpected(child.error());
    current.pid = child->pid;
    current.failure = std::move(child->failure);
    current.output.pipe = std::move(output->read);
    current.error_output.pipe = std::move(error_output->read);
    listen(current.output);
    listen(current.error_output);
    children_.expect_stranger();
    children_.add(child->pid, [this](const ChildExit& exit) { ended(exit); });
    current.timer =
        loop_.after(std::chrono::milliseconds{std::max<std::int64_t>(current.request.timeout_ms, 0)}, [this] {
            current_->timed_out = true;
            platform::signal_session(current_->pid, SIGKILL);
        });
    return {};
}

void Helpers::listen(Output& output) {
    ::fcntl(output.pipe.get(), F_SETFL, O_NONBLOCK);
    loop_.watch(output.pipe.get(), POLLIN, [this, &output](short) {
        if (!read_all(output, static_cast<std::size_t>(current_->request.output_limit)))
            loop_.forget(output.pipe.get());
    });
}

/// What is beyond the limit is read and dropped. False at the end.
bool Helpers::read_all(Output& output, std::size_t limit) {
    std::array<char, 16384> buffer;
    for (int i = 0; i < 64; ++i) {
        const auto got = ::read(output.pipe.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        const auto room = std::min(limit, kMaxHelperOutput) - std::min(limit, output.text.size());
        output.text.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
    }
    return true;
}

void Helpers::ended(const ChildExit& exit) {
    // Its end counts, not the end of its output: what it left behind holds the same pipes.
    const auto done = std::move(current_);
    const auto limit = static_cast<std::size_t>(done->request.output_limit);
    loop_.cancel(done->timer);
    for (auto* output : {&done->output, &done->error_output}) {
        read_all(*output, limit);
        loop_.forget(output->pipe.get());
    }
    const auto failure = read_failure(done->failure);
    if (!failure && exit.exit_code == 0 && !done->request.pid_file.empty()) {
        const auto pid = pid_in(done->request.pid_file);
        if (Children::is_child(pid)) adopted_(pid);
    }
    if (exit.exit_code != 0) failed_();
    children_.end_expecting();
    if (failure)
        done->reply.fail("not_executed", done->request.argv.front() + ": errno " + std::to_string(failure->code));
    else
        done->reply.finish(MessageType::helper_done, HelperDone{.exit_code = exit.exit_code,
                                                                .timed_out = done->timed_out,
                                                                .output = std::move(done->output.text),
                                                                .error_output = std::move(done->error_output.text)}
                                                         .encode());
    begin_next();
}

}  // namespace jaild::shim
