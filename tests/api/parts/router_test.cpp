#include "api/http/router.h"

#include "api/http/host_guard.h"
#include "api/http/tokens.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::api;

namespace {

Response done(const Request&) {
    return {};
}

Router make_router() {
    Router router;
    router.add(
        {.method = Method::get, .pattern = "/jails", .parameters = {"limit", "label"}, .handler = QuickHandler(done)});
    router.add({.method = Method::post, .pattern = "/jails", .content = Content::json, .handler = QuickHandler(done)});
    router.add({.method = Method::get, .pattern = "/jails/{name}", .handler = QuickHandler(done)});
    router.add({.method = Method::patch,
                .pattern = "/jails/{name}",
                .content = Content::merge_patch,
                .handler = QuickHandler(done)});
    router.add({.method = Method::get, .pattern = "/jails/{name}/plan", .handler = QuickHandler(done)});
    return router;
}

Target target(std::string_view text) {
    return test::value_of(parse_target(text));
}

Request with_fields(std::vector<std::pair<std::string_view, std::string_view>> fields) {
    Request request;
    request.fields = std::move(fields);
    return request;
}

}  // namespace

TEST_CASE("a request finds its route and what its placeholder stands for", "[http][router]") {
    const auto router = make_router();
    CHECK(test::value_of(router.find(Method::get, target("/jails"))).parameter.empty());
    const auto one = test::value_of(router.find(Method::head, target("/jails/a%2Fb")));
    CHECK(one.route->pattern == "/jails/{name}");
    CHECK(one.route->method == Method::get);
    CHECK(one.parameter == "a/b");
    CHECK(test::value_of(router.find(Method::get, target("/jails/plan/plan"))).parameter == "plan");
}

TEST_CASE("what is not there is told apart from what cannot be done there", "[http][router]") {
    const auto router = make_router();
    for (const auto* path : {"/", "/jail", "/jails/", "/jails/a/", "/jails/a/b", "/JAILS", "*"})
        CHECK(test::error_of(router.find(Method::get, target(path))).reason == "route_not_found");
    CHECK(test::error_of(router.find(Method::put, target("/jails"))).reason == "method_not_allowed");
    CHECK(test::error_of(router.find(Method::other, target("/jails"))).reason == "method_not_allowed");
    CHECK(router.allowed(target("/jails")) == "GET, HEAD, OPTIONS, POST");
    CHECK(router.allowed(target("/nothing")).empty());
    CHECK(router.allowed(target("*")) == "GET, HEAD, OPTIONS, PATCH, POST");
}

TEST_CASE("only known parameters pass, and once", "[http][router]") {
    const auto router = make_router();
    const auto* route = test::value_of(router.find(Method::get, target("/jails"))).route;
    const auto reason = [&](std::string_view text) {
        return test::error_of(check_parameters(*route, target(text).query)).reason;
    };
    CHECK(check_parameters(*route, target("/jails?limit=1&label=a&label=b").query));
    CHECK(reason("/jails?color=1") == "unknown_parameter");
    CHECK(reason("/jails?limit=1&limit=1") == "duplicate_parameter");
}

TEST_CASE("content is of the type that the route reads", "[http][router]") {
    const auto router = make_router();
    const auto* get = test::value_of(router.find(Method::get, target("/jails"))).route;
    const auto* post = test::value_of(router.find(Method::post, target("/jails"))).route;
    const auto* patch = test::value_of(router.find(Method::patch, target("/jails/a"))).route;
    CHECK(check_content(*get, with_fields({}), false));
    CHECK(test::error_of(check_content(*get, with_fields({}), true)).reason == "unexpected_body");
    for (const auto* type :
         {"application/json", "Application/JSON ; charset=UTF-8", "application/json;charset=\"utf-8\""})
        CHECK(check_content(*post, with_fields({{"content-type", type}}), true));
    for (const auto* type :
         {"", "text/json", "application/jsonx", "application/json; charset=latin1", "application/merge-patch+json"})
        CHECK(test::error_of(check_content(*post, with_fields({{"Content-Type", type}}), true)).reason ==
              "unsupported_media_type");
    CHECK_FALSE(check_content(*post, with_fields({}), true));
    CHECK(check_content(*patch, with_fields({{"Content-Type", "application/merge-patch+json"}}), true));
    CHECK_FALSE(
        check_content(*patch, with_fields({{"Content-Type", "application/json"}, {"Content-Encoding", "br"}}), true));
}

TEST_CASE("a host's name is taken out of its field", "[http][host]") {
    CHECK(test::value_of(host_of("localhost:8080")) == "localhost");
    CHECK(test::value_of(host_of("[::1]:80")) == "::1");
    CHECK(test::value_of(host_of("")).empty());
    for (const auto* bad : {"a:b", "a:1:2", "[::1", "[::1]x", "[1.2.3.4]", "a/b", "a@b", "a b", "a:123456"})
        CHECK(test::error_of(host_of(bad)).reason == "bad_host");
}

TEST_CASE("only loopback names and configured ones pass on TCP", "[http][host]") {
    for (const auto* name : {"localhost", "LocalHost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"})
        CHECK(check_host(name, {}));
    for (const auto* name :
         {"", "evil.example", "127.0.0.1.evil.example", "128.0.0.1", "127.1", "::2", "::ffff:127.0.0.1", "0.0.0.0"})
        CHECK(test::error_of(check_host(name, {})).reason == "host_not_allowed");
    CHECK(check_host("Jails.Example", {"jails.example"}));
}

TEST_CASE("a token is known by its value or its digest", "[http][tokens]") {
    const auto tokens = test::value_of(
        Tokens::create({{.name = "plain", .value = "value-of-the-first", .role = Role::operator_},
                        {.name = "hashed", .sha256 = to_hex(sha256("value-of-the-second")), .role = Role::viewer}}));
    const auto caller = test::value_of(tokens.caller_of(with_fields({{"authorization", "Bearer value-of-the-first"}})));
    CHECK(caller.principal == "token:plain");
    CHECK(caller.role == Role::operator_);
    CHECK(test::value_of(tokens.caller_of(with_fields({{"Authorization", "bearer  value-of-the-second"}}))).role ==
          Role::viewer);
    for (const auto* value : {"Bearer value-of-the-firs", "Bearer x", "Bearer value-of-the-first "})
        CHECK(test::error_of(tokens.caller_of(with_fields({{"Authorization", value}}))).reason == "token_unknown");
    for (const auto* value : {"", "Bearer", "Bearer ", "Basic eA==", "value-of-the-first"})
        CHECK(test::error_of(tokens.caller_of(with_fields({{"Authorization", value}}))).reason == "token_required");
    CHECK(test::error_of(tokens.caller_of(with_fields({}))).reason == "token_required");
}

TEST_CASE("a token that says nothing is refused when it is configured", "[http][tokens]") {
    CHECK_FALSE(Tokens::create({{.name = "", .value = "x"}}));
    CHECK_FALSE(Tokens::create({{.name = "a"}}));
    CHECK_FALSE(Tokens::create({{.name = "a", .value = "x", .sha256 = to_hex(sha256("x"))}}));
    CHECK_FALSE(Tokens::create({{.name = "a", .sha256 = "abc"}}));
}
