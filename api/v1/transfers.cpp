#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/this_coro.hpp>

#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/conditions.h"
#include "api/v1/download.h"
#include "api/v1/handlers.h"
#include "api/v1/piped_work.h"
#include "core/model/snapshot.h"

/// Jails as archives.
namespace jaild::api::v1 {
namespace {

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
    Download wanted{.content_type = "application/octet-stream",
                    .filename = name->text() + ".jaild",
                    .what = fmt::format("the export of jail {}", name->text()),
                    .work = {}};
    wanted.work = [&supervisor = service.supervisor, caller = request.caller, name = *name, snapshot = *snapshot](
                      int target, const std::function<bool()>& interrupted) -> Result<void> {
        const auto done = supervisor.export_jail(caller, name, snapshot, target, interrupted);
        return done ? Result<void>{} : std::unexpected(done.error());
    };
    co_return co_await download(service, request, *std::move(slot), std::move(wanted));
}

/// Slots are shared with exports: both read much and are for few.
Answer get_backup(Service& service, const Request& request) {
    auto slot = service.exports.take();
    if (!slot) co_return problem(too_many("exports and backups", "too_many_exports"));
    Download wanted{.content_type = "application/vnd.sqlite3",
                    .filename = "jaild.db",
                    .what = "the backup of the database",
                    .work = {}};
    wanted.work = [&supervisor = service.supervisor, caller = request.caller](
                      int target, const std::function<bool()>& interrupted) {
        return supervisor.back_up(caller, target, interrupted);
    };
    co_return co_await download(service, request, *std::move(slot), std::move(wanted));
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
