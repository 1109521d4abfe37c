#include <fcntl.h>
#include <sys/stat.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"
#include "api/v1/log_reader.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr std::int64_t kMaxTail = 1'000'000;
/// How long a new line may stay unseen. FreeBSD and Linux share no way to wait for a file to grow that both a nullfs
/// and an overlay would honour.
constexpr Milliseconds kLook{250};
constexpr std::string_view kNoJail = "jail_not_found";

struct LogQuery {
    std::optional<std::size_t> tail{};
    bool follow = false;
    LogForm form = LogForm::text;
};

Result<LogQuery> parse_log_query(const Query& query) {
    LogQuery wanted;
    auto follow = query.flag("follow", false);
    if (!follow) return std::unexpected(follow.error());
    wanted.follow = *follow;
    auto timestamps = query.flag("timestamps", false);
    if (!timestamps) return std::unexpected(timestamps.error());
    if (*timestamps) wanted.form = LogForm::records;
    auto tail = query.number("tail", -1, 0, kMaxTail);
    if (!tail) return std::unexpected(tail.error());
    if (*tail >= 0) wanted.tail = static_cast<std::size_t>(*tail);
    return wanted;
}

asio::awaitable<void> pause() {
    asio::steady_timer timer(co_await asio::this_coro::executor, kLook);
    co_await timer.async_wait(asio::use_awaitable);
}

/// Nobody writes to the log of a jail that is stopped or gone.
bool still_writing(Service& service, const Request& request, const model::Name& name) {
    auto jail = service.supervisor.get(request.caller, name);
    if (!jail) return false;
    return jail->status.state != model::JailState::stopped && jail->status.state != model::JailState::failed;
}

asio::awaitable<void> stream_log(Service& service, const Request& request, model::Name name, LogQuery wanted,
                                 std::shared_ptr<LogReader> log, Sink& sink) {
    bool last_look = !wanted.follow;
    while (true) {
        auto text = co_await offload(service.pool, [&log] { return log->read(); });
        if (!text) co_return;
        if (!text->empty()) {
            const bool taken = co_await sink.write(*text);
            if (!taken) co_return;
            continue;
        }
        if (last_look || service.feed.stopping()) co_return;
        const auto first = co_await (pause() || request.client->gone());
        if (first.index() == 1) co_return;
        last_look = !still_writing(service, request, name);
        co_await offload(service.pool, [&] {
            auto again = service.supervisor.open_log(request.caller, name);
            if (again) log->follow_to(*std::move(again));
            return again.has_value();
        });
    }
}

}  // namespace

Answer read_log(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto wanted = parse_log_query(request.target.query);
    if (!wanted) co_return problem(wanted.error());
    auto slot = service.log_streams.take();
    if (!slot)
        co_return problem(Error{.code = Errc::busy,
                                .op = "logs",
                                .detail = "as many clients as jaild serves read logs",
                                .reason = "too_many_streams"});
    auto log = co_await offload(service.pool, [&]() -> Result<std::shared_ptr<LogReader>> {
        auto file = service.supervisor.open_log(request.caller, *name);
        // A jail that never ran has no log yet; one that does not exist has a name for that.
        const bool none_yet = !file && file.error().code == Errc::not_found && file.error().reason != kNoJail;
        if (!file && !none_yet) return std::unexpected(file.error());
        auto reader = std::make_shared<LogReader>(file ? *std::move(file) : UniqueFd{}, wanted->form);
        if (wanted->tail)
            if (auto placed = reader->seek_to_last(*wanted->tail); !placed) return std::unexpected(placed.error());
        return reader;
    });
    if (!log) co_return problem(log.error());
    Response response{.content_type = "text/plain; charset=utf-8"};
    const auto held = std::make_shared<Slots::Slot>(*std::move(slot));
    response.stream = [&service, &request, name = *name, wanted = *wanted, log = *log, held](Sink& sink) {
        return stream_log(service, request, name, wanted, log, sink);
    };
    co_return response;
}

}  // namespace jaild::api::v1
