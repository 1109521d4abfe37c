#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <stdexcept>

#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/handlers.h"
#include "api/v1/piped_work.h"
#include "core/model/snapshot.h"

/// Jails as archives.
namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;

using Export = PipedWork<archive::Done>;
using Import = PipedWork<Accepted>;

Error too_many(std::string_view what, std::string_view reason) {
    return Error{.code = Errc::busy,
                 .op = "transfer",
                 .detail = fmt::format("as many {} as jaild does at a time are under way", what),
                 .reason = reason,
                 .remedy = "try again when one of them has ended"};
}

/// The name of a snapshot; empty: none is asked for.
Result<std::string> snapshot_of(const Query& query) {
    const auto value = query.find("snapshot");
    if (!value) return std::string();
    if (auto good = model::check_snapshot_name(*value, "?snapshot"); !good) return std::unexpected(good.error());
    return std::string(*value);
}

/// An export that nobody waits for any more ends.
class HeldExport {
public:
    explicit HeldExport(std::shared_ptr<Export> work) : work_(std::move(work)) {}
    HeldExport(const HeldExport&) = delete;
    HeldExport& operator=(const HeldExport&) = delete;
    ~HeldExport() { work_->interrupt(); }
    Export* operator->() const { return work_.get(); }

    /// The next bytes, empty at the end; Errc::busy "client_gone" when nobody wants them.
    asio::awaitable<Result<std::string>> next(Client& client) {
        auto first = co_await (work_->read() || client.gone());
        if (first.index() == 1)
            co_return std::unexpected(
                Error{.code = Errc::busy, .op = "export", .detail = "its client has left", .reason = "client_gone"});
        auto& bytes = std::get<0>(first);
        if (!bytes) co_return std::unexpected(bytes.error());
        co_return std::string(*bytes);
    }

private:
    std::shared_ptr<Export> work_;
};

/// The body is left unfinished by an exception: its status was sent long ago.
[[noreturn]] void leave_unfinished(const std::string& jail, const Error& error) {
    throw std::runtime_error(fmt::format("the export of jail {} ends unfinished: {}", jail, error.to_string()));
}

/// What is read last is sent when it is known that all is well: an archive that looks whole is.
asio::awaitable<void> stream_archive(const Request& request, std::string jail, std::shared_ptr<HeldExport> work,
                                     std::string held, Sink& sink) {
    while (true) {
        auto piece = co_await work->next(*request.client);
        if (!piece) leave_unfinished(jail, piece.error());
        if (piece->empty()) break;
        const bool taken = co_await sink.write(held);
        if (!taken) co_return;  // dropped already
        held = *std::move(piece);
    }
    const auto done = co_await (*work)->result();
    if (!done) leave_unfinished(jail, done.error());
    co_await sink.write(held);
}

Result<ImportRequest> parse_import(const Query& query) {
    ImportRequest wanted;
    if (const auto name = query.find("name")) {
        auto parsed = model::Name::parse(*name, "?name");
        if (!parsed) return std::unexpected(parsed.error());
        wanted.name = *std::move(parsed);
    }
    if (query.find("start")) {
        const auto start = query.flag("start", true);
        if (!start) return std::unexpected(start.error());
        wanted.running = *start;
    }
    return wanted;
}

}  // namespace

Answer export_jail(Service& service, const Request& request) {
    const auto name = name_of(request);
    if (!name) co_return problem(name.error());
    const auto snapshot = snapshot_of(request.target.query);
    if (!snapshot) co_return problem(snapshot.error());
    auto slot = service.exports.take();
    if (!slot) co_return problem(too_many("exports", "too_many_exports"));
    const auto executor = co_await asio::this_coro::executor;
    auto started = Export::start(executor, service.transfer_pool, Export::Ours::read, *std::move(slot), service.ending,
                                 [&supervisor = service.supervisor, caller = request.caller, name = *name,
                                  snapshot = *snapshot](int target, const std::function<bool()>& interrupted) {
                                     return supervisor.export_jail(caller, name, snapshot, target, interrupted);
                                 });
    if (!started) co_return problem(started.error());
    auto work = std::make_shared<HeldExport>(*std::move(started));
    auto first = co_await work->next(*request.client);
    if (!first) co_return problem(first.error());
    if (first->empty()) {
        const auto failed = co_await (*work)->result();
        co_return problem(failed ? Error{.code = Errc::corrupt, .op = "export", .reason = "internal"} : failed.error());
    }
    Response response{.content_type = "application/octet-stream"};
    response.fields.emplace_back("Content-Disposition", fmt::format("attachment; filename=\"{}.jaild\"", name->text()));
    response.stream = [&request, jail = name->text(), work = std::move(work), held = *std::move(first)](Sink& sink) {
        return stream_archive(request, jail, work, held, sink);
    };
    co_return response;
}

Answer import_jail(Service& service, const Request& request) {
    if (auto none = refuse_precondition(request); !none) co_return problem(none.error());
    const auto wanted = parse_import(request.target.query);
    if (!wanted) co_return problem(wanted.error());
    auto slot = service.imports.take();
    if (!slot) co_return problem(too_many("imports", "too_many_imports"));
    const auto executor = co_await asio::this_coro::executor;
    auto started = Import::start(executor, service.transfer_pool, Import::Ours::write, *std::move(slot), service.ending,
                                 [&supervisor = service.supervisor, caller = request.caller, wanted = *wanted](
                                     int source, const std::function<bool()>& interrupted) {
                                     return supervisor.import_jail(caller, wanted, source, interrupted);
                                 });
    if (!started) co_return problem(started.error());
    const auto work = *std::move(started);
    std::optional<Error> cut;
    while (true) {
        auto piece = co_await request.source->read();
        if (!piece) {
            cut = piece.error();
            work->interrupt();
            break;
        }
        if (piece->empty()) break;
        const bool written = co_await work->write(*piece);
        if (!written) break;  // it has said why
    }
    work->close();
    auto accepted = co_await work->result();
    if (cut) co_return problem(*cut);
    if (!accepted) co_return problem(accepted.error());
    co_return co_await answer_change(service, request, *std::move(accepted), Change::create, DryRun::no);
}

}  // namespace jaild::api::v1
