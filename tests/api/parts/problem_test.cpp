#include "api/http/problem.h"

#include <nlohmann/json.hpp>
#include <set>

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::api;

TEST_CASE("each kind of error has its status", "[http][problem]") {
    const std::vector<std::pair<Errc, unsigned>> kinds{
        {Errc::invalid, 422}, {Errc::not_found, 404}, {Errc::conflict, 409}, {Errc::stale, 412},
        {Errc::busy, 503},    {Errc::exhausted, 507}, {Errc::denied, 403},   {Errc::unsupported, 422},
        {Errc::kernel, 500},  {Errc::corrupt, 500}};
    for (const auto& [code, status] : kinds) {
        CHECK(status_of(Error{.code = code}) == status);
        CHECK(status_of(Error{.code = code, .reason = "some_reason_of_its_own"}) == status);
    }
}

TEST_CASE("a reason with a status of its own has it whatever its kind", "[http][problem]") {
    CHECK(status_of(Error{.code = Errc::invalid, .reason = "precondition_required"}) == 428);
    CHECK(status_of(Error{.code = Errc::invalid, .reason = "malformed_json"}) == 400);
    CHECK(status_of(Error{.code = Errc::not_found, .reason = "events_gone"}) == 410);
    CHECK(status_of(Error{.code = Errc::denied, .reason = "token_required"}) == 401);
}

TEST_CASE("the problem of an operation is known by its text", "[http][problem]") {
    CHECK(status_of_code("name_in_use") == 409);
    CHECK(status_of_code("busy") == 503);
    CHECK(status_of_code("command_failed") == 422);
    CHECK(status_of_code("something_that_broke") == 500);
}

TEST_CASE("a problem says all that is known, and nothing else", "[http][problem]") {
    const Error error{.code = Errc::conflict,
                      .op = "insert",
                      .sys = 17,
                      .detail = "there is a jail \"web\"",
                      .reason = "name_in_use",
                      .field = "/name",
                      .remedy = "choose another"};
    const auto full = problem(error, {{"operation", "0123456789abcdef"}});
    CHECK(full.status == 409);
    CHECK(full.content_type == "application/problem+json");
    CHECK(nlohmann::json::parse(full.body) == nlohmann::json{{"type", "about:blank"},
                                                             {"title", "Conflict"},
                                                             {"status", 409},
                                                             {"code", "name_in_use"},
                                                             {"detail", "there is a jail \"web\""},
                                                             {"field", "/name"},
                                                             {"remedy", "choose another"},
                                                             {"errno", 17},
                                                             {"operation", "0123456789abcdef"}});
    const auto bare = nlohmann::json::parse(problem(Error{.code = Errc::not_found}).body);
    CHECK(bare == nlohmann::json{{"type", "about:blank"},
                                 {"title", "Not Found"},
                                 {"status", 404},
                                 {"code", "not_found"},
                                 {"detail", "Not Found"}});
}

TEST_CASE("what passes says when, and what needs a token says which kind", "[http][problem]") {
    const auto field = [](const Response& response, std::string_view name) {
        for (const auto& [key, value] : response.fields)
            if (key == name) return value;
        return std::string{};
    };
    CHECK(field(problem(Error{.code = Errc::busy}), "Retry-After") == "5");
    CHECK(field(problem(Error{.code = Errc::denied, .reason = "token_unknown"}), "WWW-Authenticate")
              .starts_with("Bearer"));
    CHECK(problem(Error{.code = Errc::conflict}).fields.empty());
}

TEST_CASE("no code is listed twice and each status has its phrase", "[http][problem]") {
    std::set<std::string_view> seen;
    for (const auto& [code, status] : code_statuses()) {
        CHECK(seen.insert(code).second);
        CHECK(phrase_of(status) != "Unknown");
    }
}
