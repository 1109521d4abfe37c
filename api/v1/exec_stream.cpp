#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/exec_request.h"
#include "api/v1/handlers.h"
#include "api/v1/program_run.h"
#include "core/model/kill_request.h"

/// GET …/exec as a WebSocket: a program with its streams, while it runs. The client's first message is the order; then
/// binary messages are bytes of a stream, after one byte that says which (0 its input; 1 and 2 what it writes), and
/// text messages are JSON.
namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;
using nlohmann::json;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPiece = 64 * 1024;
/// What a client sends before it has heard that it was read (text message "input").
constexpr std::size_t kInputWindow = 256 * 1024;
constexpr char kInput = 0;

Error bad_message(std::string detail) {
    return Error::invalid("invalid_message", "", std::move(detail));
}

// Made outside of coroutines: GCC 12 cannot keep an initializer_list over a co_await.
json problem_message(const Error& error) {
    return {{"problem", json::parse(problem(error).body, nullptr, false)}};
}

json exit_message(const kernel::ProgramExit& exit) {
    return {{"exit_code", exit.exit_code}, {"signal", exit.signal == 0 ? json() : json(exit.signal)}};
}

json last_message(const Result<ProgramRun::Ending>& ending) {
    return ending ? exit_message(ending->exit) : problem_message(ending.error());
}

json input_message(std::size_t count) {
    return {{"input", count}};
}

/// A program and its client. I/O thread.
class Session {
public:
    Session(Service& service, Channel& channel, const asio::any_io_executor& executor)
        : service_(service), channel_(channel), input_waits_(executor) {
        input_waits_.expires_at(asio::steady_timer::time_point::max());
    }

    asio::awaitable<Result<ExecOrder>> read_order() {
        asio::steady_timer patience(co_await asio::this_coro::executor, service_.limits.header_timeout);
        auto first = co_await (channel_.read() || patience.async_wait(kTuple));
        if (first.index() == 1)
            co_return std::unexpected(Error{.code = Errc::busy,
                                            .op = "exec",
                                            .detail = "nothing came that says what is to be run",
                                            .reason = "request_timeout"});
        auto message = std::get<0>(std::move(first));
        if (!message) co_return std::unexpected(message.error());
        if (message->kind != Channel::Kind::text) co_return std::unexpected(bad_message("the first is the order"));
        auto body = parse_json(message->bytes, service_.limits.json_depth);
        if (!body) co_return std::unexpected(body.error());
        for (const auto* field : {"stdin_encoding", "timeout", "output_limit"})
            if (body->is_object() && body->contains(field))
                co_return std::unexpected(Error::invalid("unknown_field", std::string("/") + field,
                                                         "there is none on a stream: the client has it in its hands"));
        co_return take_input(*std::move(body));
    }

    [[nodiscard]] bool has_input() const { return has_input_; }

    /// Until the program has ended and the client has heard all of it, or has left.
    asio::awaitable<void> serve(ProgramRun& run, ProgramStreams& streams) {
        run_ = &run;
        streams_ = &streams;
        co_await (tell_all() || listen() || feed() || channel_.stopping());
    }

    asio::awaitable<void> tell(json message) {
        const auto text = dump(message);
        (void)co_await channel_.write(Channel::Kind::text, text);
    }

    asio::awaitable<void> refuse(Error error) {
        auto message = problem_message(error);
        co_await tell(std::move(message));
        co_await (hang_up() || drop_all());
    }

private:
    /// "stdin": true says that there will be some.
    Result<ExecOrder> take_input(json body) {
        if (body.is_object() && body.contains("stdin")) {
            if (!body["stdin"].is_boolean())
                return std::unexpected(Error::invalid("wrong_type", "/stdin", "must be a boolean"));
            has_input_ = body["stdin"].get<bool>();
            body.erase("stdin");
        }
        return parse_exec_order(body, service_.limits);
    }

    asio::awaitable<void> hang_up() { co_await channel_.close(); }
    asio::awaitable<void> drop_all() {
        while (true) {
            const auto message = co_await channel_.read();
            if (!message) co_return;
        }
    }

    asio::awaitable<void> forward(ProgramStreams::Outlet from, char mark) {
        std::vector<char> piece(kPiece + 1);
        piece.front() = mark;
        while (true) {
            const auto count = co_await streams_->read(from, std::span(piece).subspan(1));
            if (count == 0) co_return;
            const bool heard = co_await channel_.write(Channel::Kind::binary, {piece.data(), count + 1});
            if (!heard) co_return;
        }
    }

    asio::awaitable<void> wait_for_end() {
        ending_ = co_await run_->end(ProgramRun::kForEver);
        streams_->ended();
    }

    asio::awaitable<void> tell_all() {
        co_await (forward(ProgramStreams::Outlet::output, 1) && forward(ProgramStreams::Outlet::error_output, 2) &&
                  wait_for_end());
        auto last = last_message(*ending_);
        co_await tell(std::move(last));
        co_await channel_.close();
    }

    /// Until the client has left.
    asio::awaitable<void> listen() {
        while (true) {
            const auto message = co_await channel_.read();
            if (!message) co_return;
            Result<void> done;
            if (message->kind == Channel::Kind::binary)
                done = take(message->bytes);
            else
                done = co_await obey(message->bytes);
            if (done) continue;
            auto refusal = problem_message(done.error());
            co_await tell(std::move(refusal));
            co_return;
        }
    }

    Result<void> take(std::string_view bytes) {
        if (bytes.empty() || bytes.front() != kInput || !has_input_ || closing_)
            return std::unexpected(bad_message("bytes for a stream that takes none"));
        if (bytes.size() - 1 > kInputWindow - input_.size())
            return std::unexpected(
                bad_message(fmt::format("more than {} bytes of input before the program has read them", kInputWindow)));
        input_ += bytes.substr(1);
        input_waits_.cancel();
        return {};
    }

    asio::awaitable<Result<void>> obey(std::string_view text) {
        const auto body = parse_json(text, service_.limits.json_depth);
        if (!body) co_return std::unexpected(body.error());
        if (!body->is_object() || body->size() != 1) co_return std::unexpected(bad_message("one thing at a time"));
        const auto& key = body->begin().key();
        const auto& value = *body->begin();
        if (key == "signal") {
            const auto number = value.is_string() ? model::signal_number(value.get<std::string>()) : std::nullopt;
            if (!number) co_return std::unexpected(Error::invalid("invalid_value", "/signal", "is no signal"));
            (void)co_await run_->kill(*number);  // one that has ended meanwhile has told so
            co_return Result<void>{};
        }
        if (key == "resize") {
            const auto size = parse_terminal_size(value);
            if (!size) co_return std::unexpected(size.error());
            streams_->resize(*size);
            co_return Result<void>{};
        }
        if (key == "stdin" && value == "closed") {
            closing_ = true;
            input_waits_.cancel();
            co_return Result<void>{};
        }
        co_return std::unexpected(Error::invalid("unknown_field", "/" + key, "signal, resize or stdin"));
    }

    /// What came is handed on at the program's own pace, while signals go past it. Never ends by itself.
    asio::awaitable<void> feed() {
        while (true) {
            if (input_.empty() && closing_) streams_->close_input();
            if (input_.empty()) {
                (void)co_await input_waits_.async_wait(kTuple);
                continue;
            }
            const auto piece = input_.substr(0, kPiece);
            // Nobody reads it any more: the client may go on all the same.
            (void)co_await streams_->write(piece);
            input_.erase(0, piece.size());
            auto heard = input_message(piece.size());
            co_await tell(std::move(heard));
        }
    }

    Service& service_;
    Channel& channel_;
    ProgramRun* run_ = nullptr;
    ProgramStreams* streams_ = nullptr;
    std::string input_;
    asio::steady_timer input_waits_;
    bool has_input_ = false;
    bool closing_ = false;
    std::optional<Result<ProgramRun::Ending>> ending_;
};

/// The program with its streams; what both need is there before it begins.
struct Started {
    std::unique_ptr<ProgramRun> run;
    std::unique_ptr<ProgramStreams> streams;
};

asio::awaitable<Result<Started>> start(Service& service, const Request& request, const model::Name& name,
                                       ExecRequest wanted, bool has_input) {
    const auto executor = co_await asio::this_coro::executor;
    const bool has_terminal = wanted.program.terminal.has_value();
    Result<std::unique_ptr<ProgramStreams>> streams;
    if (!has_terminal) streams = ProgramStreams::create(executor, has_input, wanted.stdio);
    if (!streams) co_return std::unexpected(streams.error());
    auto program = co_await offload_through(service.gates, name.key(), service.jail_pool, [&] {
        return service.supervisor.exec(request.caller, name, {}, std::move(wanted));
    });
    if (!program) co_return std::unexpected(program.error());
    auto master = (*program)->take_terminal();
    Started started{.run = std::make_unique<ProgramRun>(service.jail_pool, *std::move(program)), .streams = {}};
    if (has_terminal) streams = ProgramStreams::of_terminal(executor, std::move(master));
    if (!streams) co_return std::unexpected(streams.error());
    started.streams = *std::move(streams);
    co_return started;
}

}  // namespace

Answer stream_exec(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    // Before the connection is another one: what is wrong can be said as ever.
    if (auto jail = service.supervisor.get(request.caller, *name); !jail) co_return problem(jail.error());
    const auto slot = service.programs.take();
    if (!slot)
        co_return problem(Error{.code = Errc::busy,
                                .op = "exec",
                                .detail = "as many programs as jaild runs for clients are under way",
                                .reason = "too_many_programs"});
    auto channel = co_await request.client->upgrade(request);
    if (!channel) co_return problem(channel.error());

    Session session(service, **channel, co_await asio::this_coro::executor);
    auto order = co_await session.read_order();
    if (!order) {
        co_await session.refuse(order.error());
        co_return Response{};
    }
    ExecRequest wanted{.program = order->program, .stdio = {}};
    auto started = co_await start(service, request, *name, std::move(wanted), session.has_input());
    if (!started) {
        co_await session.refuse(started.error());
        co_return Response{};
    }
    co_await session.serve(*started->run, *started->streams);
    co_return Response{};
}

}  // namespace jaild::api::v1
