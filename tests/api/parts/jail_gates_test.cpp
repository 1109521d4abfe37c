#include "api/v1/jail_gates.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::api;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

constexpr Milliseconds kForEver{std::chrono::hours{1}};

/// Callers of a gate that lets one in at a time, on this thread.
struct Callers {
    explicit Callers(Milliseconds patience) : gates(1, patience) {}

    /// Asks for a pass and keeps it; `names` of those that have one in the order in which they got it.
    void call(const std::string& jail, const std::string& name) {
        asio::co_spawn(io, hold(jail, name), asio::detached);
        turn();
    }
    asio::awaitable<void> hold(std::string jail, std::string name) {
        auto pass = co_await gates.enter(std::move(jail));
        if (pass) {
            inside.emplace(name, *std::move(pass));
            order.push_back(name);
        } else {
            refused.push_back(pass.error());
        }
    }
    void leave(const std::string& name) {
        inside.erase(name);
        turn();
    }
    /// All that can be done without waiting.
    void turn() {
        io.restart();
        io.poll();
    }

    JailGates gates;
    std::map<std::string, JailGates::Pass> inside;
    std::vector<std::string> order;
    std::vector<Error> refused;
    asio::io_context io{1};
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("calls into one jail wait for each other in their order, those into others do not", "[http][gates]") {
    Callers callers(kForEver);
    callers.call("hung", "first");
    callers.call("hung", "second");
    callers.call("hung", "third");
    callers.call("well", "other");
    CHECK(callers.order == Names{"first", "other"});
    callers.leave("first");
    CHECK(callers.order == Names{"first", "other", "second"});
    callers.leave("second");
    callers.leave("third");
    callers.call("hung", "fourth");
    CHECK(callers.order == Names{"first", "other", "second", "third", "fourth"});
}

TEST_CASE("who waits too long for a jail is refused, and no place is lost by it", "[http][gates]") {
    Callers callers(Milliseconds(1));
    callers.call("hung", "first");
    callers.call("hung", "second");
    callers.io.restart();
    callers.io.run();
    REQUIRE(callers.refused.size() == 1);
    CHECK(callers.refused.front().reason == "jail_not_answering");
    CHECK(callers.refused.front().code == Errc::busy);
    callers.leave("first");
    callers.call("hung", "third");
    CHECK(callers.order == Names{"first", "third"});
}

TEST_CASE("who stops waiting for a jail takes no place", "[http][gates]") {
    Callers callers(kForEver);
    callers.call("hung", "first");
    asio::steady_timer gone(callers.io, asio::steady_timer::time_point::max());
    const auto until_gone = [&]() -> asio::awaitable<void> {
        boost::system::error_code ignored;
        co_await gone.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    };
    asio::co_spawn(
        callers.io, [&]() -> asio::awaitable<void> { co_await (callers.hold("hung", "second") || until_gone()); },
        asio::detached);
    callers.turn();
    callers.call("hung", "third");
    gone.cancel();
    callers.turn();
    CHECK(callers.order == Names{"first"});

    SECTION("before it is let in") {
        callers.leave("first");
        CHECK(callers.order == Names{"first", "third"});
    }
    SECTION("and all of them are free again") {
        callers.leave("first");
        callers.leave("third");
        callers.call("hung", "fourth");
        CHECK(callers.order == Names{"first", "third", "fourth"});
    }
}
