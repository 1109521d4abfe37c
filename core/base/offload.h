#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace jaild {

/// Runs `work`, which may block, on the pool; the coroutine goes on with its value on its own thread. What `work`
/// captures must outlive it: a cancelled coroutine still waits for it, for work that blocks cannot be called back.
template <class Work, class T = std::invoke_result_t<Work&>>
boost::asio::awaitable<T> offload(boost::asio::thread_pool& pool, Work work) {
    const auto start = [&pool](auto handler, Work task) {
        auto home = boost::asio::get_associated_executor(handler);
        boost::asio::post(pool, [handler = std::move(handler), task = std::move(task),
                                 guard = boost::asio::make_work_guard(home)]() mutable {
            std::exception_ptr thrown;
            std::optional<T> value;
            try {
                value.emplace(task());
            } catch (...) {
                thrown = std::current_exception();
            }
            const auto executor = guard.get_executor();
            boost::asio::post(executor, [handler = std::move(handler), thrown, value = std::move(value)]() mutable {
                std::move(handler)(thrown, std::move(value));
            });
        });
    };
    std::optional<T> result = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                                   void(std::exception_ptr, std::optional<T>)>(
        start, boost::asio::use_awaitable, std::move(work));
    co_return *std::move(result);
}

}  // namespace jaild
