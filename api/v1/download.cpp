#include "api/v1/download.h"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <stdexcept>

#include "api/http/problem.h"
#include "api/v1/answers.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;

using Source = PipedWork<void>;

/// One that nobody waits for any more ends.
class HeldSource {
public:
    explicit HeldSource(std::shared_ptr<Source> work) : work_(std::move(work)) {}
    HeldSource(const HeldSource&) = delete;
    HeldSource& operator=(const HeldSource&) = delete;
    ~HeldSource() { work_->interrupt(); }
    Source* operator->() const { return work_.get(); }

    /// The next bytes, empty at the end; Errc::busy "client_gone" when nobody wants them.
    asio::awaitable<Result<std::string>> next(Client& client) {
        auto first = co_await (work_->read() || client.gone());
        if (first.index() == 1)
            co_return std::unexpected(
                Error{.code = Errc::busy, .op = "download", .detail = "its client has left", .reason = "client_gone"});
        auto& bytes = std::get<0>(first);
        if (!bytes) co_return std::unexpected(bytes.error());
        co_return std::string(*bytes);
    }

private:
    std::shared_ptr<Source> work_;
};

/// The body is left unfinished by an exception: its status was sent long ago.
[[noreturn]] void leave_unfinished(const std::string& what, const Error& error) {
    throw std::runtime_error(fmt::format("{} ends unfinished: {}", what, error.to_string()));
}

/// What is read last is sent when it is known that all is well: an archive that looks whole is.
asio::awaitable<void> stream_source(const Request& request, std::string what, std::shared_ptr<HeldSource> work,
                                    std::string held, Sink& sink) {
    while (true) {
        auto piece = co_await work->next(*request.client);
        if (!piece) leave_unfinished(what, piece.error());
        if (piece->empty()) break;
        const bool taken = co_await sink.write(held);
        if (!taken) co_return;  // dropped already
        held = *std::move(piece);
    }
    const auto done = co_await (*work)->result();
    if (!done) leave_unfinished(what, done.error());
    co_await sink.write(held);
}

}  // namespace

Answer download(Service& service, const Request& request, Slots::Slot slot, Download wanted) {
    const auto executor = co_await asio::this_coro::executor;
    auto started = Source::start(executor, service.transfer_pool, Source::Ours::read, std::move(slot), service.ending,
                                 std::move(wanted.work));
    if (!started) co_return problem(started.error());
    auto work = std::make_shared<HeldSource>(*std::move(started));
    auto first = co_await work->next(*request.client);
    if (!first) co_return problem(first.error());
    if (first->empty()) {
        const auto failed = co_await (*work)->result();
        co_return problem(failed ? Error{.code = Errc::corrupt, .op = "download", .reason = "internal"}
                                 : failed.error());
    }
    Response response{.content_type = wanted.content_type};
    response.fields.emplace_back("Content-Disposition", fmt::format("attachment; filename=\"{}\"", wanted.filename));
    response.stream = [&request, what = wanted.what, work = std::move(work), held = *std::move(first)](Sink& sink) {
        return stream_source(request, what, work, held, sink);
    };
    co_return response;
}

}  // namespace jaild::api::v1
