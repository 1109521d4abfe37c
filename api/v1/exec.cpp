#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/exec_request.h"
#include "api/v1/handlers.h"
#include "api/v1/program_run.h"
#include "core/base/base64.h"
#include "core/base/utf8.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr std::size_t kLongestSequence = 4;  // of UTF-8

/// Cuts off a character that the limit has cut in two.
void drop_cut_character(std::string& text) {
    for (std::size_t cut = 1; cut < kLongestSequence && cut <= text.size(); ++cut) {
        const auto byte = static_cast<unsigned char>(text[text.size() - cut]);
        if (byte < 0x80) return;
        if (byte < 0xC0) continue;
        if (!is_utf8(std::string_view(text).substr(text.size() - cut))) text.resize(text.size() - cut);
        return;
    }
}

/// As text where it is UTF-8, else as base64: nothing that a program writes is changed.
void add_output(nlohmann::json& body, const std::string& name, Output& output) {
    auto bytes = output.take();
    if (output.truncated()) drop_cut_character(bytes);
    const bool text = is_utf8(bytes);
    body[name + "_encoding"] = text ? "utf-8" : "base64";
    body[name + "_truncated"] = output.truncated();
    body[name] = text ? std::move(bytes) : base64_encode(bytes);
}

Response answer_ending(const ProgramRun::Ending& ending, Output& output, Output& error_output) {
    nlohmann::json body{{"exit_code", ending.exit.exit_code},
                        {"signal", ending.exit.signal == 0 ? nlohmann::json() : nlohmann::json(ending.exit.signal)},
                        {"timed_out", ending.timed_out}};
    add_output(body, "stdout", output);
    add_output(body, "stderr", error_output);
    return answer_json(body);
}

Error stopped() {
    return {.code = Errc::busy,
            .op = "exec",
            .detail = "jaild is stopping, and the program was ended with it",
            .reason = "stopping"};
}

/// For a client on TCP that still reads.
Error left() {
    return {.code = Errc::invalid,
            .op = "exec",
            .detail = "the client closed its side of the connection, and the program was ended",
            .reason = "client_closed",
            .remedy = "keep the connection open in both directions until the answer is there"};
}

/// Both at once: the streams are pumped until the end is known.
asio::awaitable<Result<ProgramRun::Ending>> run_to_end(ProgramRun& run, ProgramStreams& streams, const ExecOrder& order,
                                                       Output& output, Output& error_output) {
    const std::string_view input = order.input ? std::string_view(*order.input) : std::string_view{};
    auto first = co_await (run.end(order.timeout) || streams.pump(input, output, error_output));
    streams.drain(output, error_output);
    co_return std::get<0>(std::move(first));
}

Result<ExecOrder> parse_order(Service& service, const Request& request) {
    auto body = parse_json(request.body, service.limits.json_depth);
    if (!body) return std::unexpected(body.error());
    return parse_exec_order(*body, service.limits);
}

/// `pass` is given back when the program runs, or does not.
asio::awaitable<Result<std::unique_ptr<kernel::RunningProgram>>> start_program(Service& service, const Request& request,
                                                                               model::Name name,
                                                                               Precondition precondition,
                                                                               JailGates::Pass pass,
                                                                               ExecRequest wanted) {
    const auto held = std::move(pass);
    co_return co_await offload(service.jail_pool, [&] {
        return service.supervisor.exec(request.caller, name, precondition, std::move(wanted));
    });
}

}  // namespace

Answer exec_in_jail(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    auto precondition = precondition_of(service, request, *name);
    if (!precondition) co_return problem(precondition.error());
    auto order = co_await offload(service.pool, [&] { return parse_order(service, request); });
    if (!order) co_return problem(order.error());
    auto pass = co_await service.gates.enter(name->key());
    if (!pass) co_return problem(pass.error());
    const auto slot = service.programs.take();
    if (!slot)
        co_return problem(Error{.code = Errc::busy,
                                .op = "exec",
                                .detail = "as many programs as jaild runs for clients are under way",
                                .reason = "too_many_programs"});

    ExecRequest wanted{.program = order->program, .stdio = {}};
    const bool has_terminal = wanted.program.terminal.has_value();
    const auto executor = co_await asio::this_coro::executor;
    Result<std::unique_ptr<ProgramStreams>> streams;
    if (!has_terminal) streams = ProgramStreams::create(executor, order->input.has_value(), wanted.stdio);
    if (!streams) co_return problem(streams.error());
    auto program = co_await start_program(service, request, *name, *precondition, *std::move(pass), std::move(wanted));
    if (!program) co_return problem(program.error());
    auto master = (*program)->take_terminal();

    ProgramRun run(service.jail_pool, *std::move(program));
    if (has_terminal) streams = ProgramStreams::of_terminal(executor, std::move(master));
    if (!streams) co_return problem(streams.error());
    Output output(order->output_limit, service.limits.exec_output_bytes, service.output_bytes);
    Output error_output(order->output_limit, service.limits.exec_output_bytes, service.output_bytes);
    auto first = co_await (run_to_end(run, **streams, *order, output, error_output) || request.client->gone());
    if (first.index() == 1) co_return problem(request.client->stopping() ? stopped() : left());
    auto ending = std::get<0>(std::move(first));
    if (!ending) co_return problem(ending.error());
    co_return co_await offload(service.pool, [&] { return answer_ending(*ending, output, error_output); });
}

}  // namespace jaild::api::v1
