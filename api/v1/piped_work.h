#pragma once

#include <fcntl.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/v1/slots.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"

namespace jaild::api {

namespace asio = boost::asio;

/// Blocking work at one end of a pipe, on a thread of a pool; the other end is here. I/O thread. It lives, with its
/// slot, until the work has ended, whoever has forgotten it; the executor's context outlives the pool's threads.
template <class T>
class PipedWork : public std::enable_shared_from_this<PipedWork<T>> {
public:
    /// Gets its end of the pipe, which is closed when it returns, and asks now and then whether it should end.
    using Work = std::function<Result<T>(int descriptor, const std::function<bool()>& interrupted)>;
    enum class Ours { read, write };

    /// `ending`: the server stops. It outlives the pool's threads.
    static Result<std::shared_ptr<PipedWork>> start(const asio::any_io_executor& executor, asio::thread_pool& pool,
                                                    Ours ours, Slots::Slot slot, const std::atomic<bool>& ending,
                                                    Work work) {
        auto pipe = Pipe::create();
        if (!pipe) return std::unexpected(pipe.error());
        auto& own = ours == Ours::read ? pipe->read : pipe->write;
        auto& theirs = ours == Ours::read ? pipe->write : pipe->read;
        const int flags = ::fcntl(own.get(), F_GETFL);
        if (flags < 0 || ::fcntl(own.get(), F_SETFL, flags | O_NONBLOCK) != 0)
            return std::unexpected(Error::from_errno("fcntl", errno));
        auto self = std::shared_ptr<PipedWork>(new PipedWork(executor, std::move(own), std::move(slot)));
        asio::post(pool, [self, &ending, work = std::move(work),
                          descriptor = std::make_shared<UniqueFd>(std::move(theirs))]() mutable {
            auto result = self->run(work, descriptor->get(), ending);
            descriptor->reset();
            const auto home = self->end_.get_executor();
            asio::post(home, [self = std::move(self), result = std::move(result)]() mutable {
                self->result_ = std::move(result);
                self->ended_.cancel();
            });
        });
        return self;
    }

    /// The next bytes, good until the next call; empty at the end.
    asio::awaitable<Result<std::string_view>> read() {
        boost::system::error_code failed;
        const auto count =
            co_await end_.async_read_some(asio::buffer(buffer_), asio::redirect_error(asio::use_awaitable, failed));
        if (failed == asio::error::eof) co_return std::string_view();
        if (failed) co_return std::unexpected(Error::from_errno("read", failed.value(), "the pipe"));
        co_return std::string_view(buffer_.data(), count);
    }

    /// False when nobody reads any more: the work has ended.
    asio::awaitable<bool> write(std::string_view bytes) {
        boost::system::error_code failed;
        co_await asio::async_write(end_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, failed));
        co_return !failed;
    }

    /// Nothing more is written, or read.
    void close() {
        boost::system::error_code ignored;
        end_.close(ignored);
    }
    /// And the work should end.
    void interrupt() {
        interrupted_ = true;
        close();
    }

    /// When the work has ended; it does when this end is closed. Once.
    asio::awaitable<Result<T>> result() {
        while (!result_) {
            boost::system::error_code cancelled;
            co_await ended_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
        }
        co_return *std::move(result_);
    }

private:
    static constexpr std::size_t kBuffer = 256 * 1024;

    PipedWork(const asio::any_io_executor& executor, UniqueFd own, Slots::Slot slot)
        : slot_(std::move(slot)), end_(executor, own.release()), ended_(executor) {
        ended_.expires_at(asio::steady_timer::time_point::max());
    }

    Result<T> run(const Work& work, int descriptor, const std::atomic<bool>& ending) {
        try {
            return work(descriptor, [&] { return interrupted_ || ending; });
        } catch (const std::exception& caught) {
            return std::unexpected(
                Error{.code = Errc::corrupt, .op = "transfer", .detail = caught.what(), .reason = "internal"});
        }
    }

    Slots::Slot slot_;
    std::atomic<bool> interrupted_ = false;
    asio::posix::stream_descriptor end_;
    asio::steady_timer ended_;
    std::optional<Result<T>> result_;
    std::string buffer_ = std::string(kBuffer, '\0');
};

}  // namespace jaild::api
