#include "api/http/precondition.h"

#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::api;

namespace {

Request with(std::vector<std::pair<std::string_view, std::string_view>> fields) {
    Request request;
    request.fields = std::move(fields);
    return request;
}

}  // namespace

TEST_CASE("entity tags are read as RFC 9110 writes them", "[http][precondition]") {
    CHECK_FALSE(test::value_of(entity_tags(with({}), "If-Match")));
    const auto several = *test::value_of(entity_tags(with({{"if-match", R"("1.2" , W/"3.4",, "a,b")"}}), "If-Match"));
    CHECK(several.tags == std::vector<std::string>{"\"1.2\"", "W/\"3.4\"", "\"a,b\""});
    CHECK(test::value_of(entity_tags(with({{"If-Match", "*"}}), "If-Match"))->any);
    const auto split = *test::value_of(entity_tags(with({{"If-Match", "\"1\""}, {"If-Match", "\"2\""}}), "If-Match"));
    CHECK(split.tags.size() == 2);
}

TEST_CASE("what is no entity tag is refused", "[http][precondition]") {
    const auto* value = GENERATE("", ",", "1.2", "\"open", "\"a\" \"b\"", "*, \"a\"", "w/\"a\"", "\"a\x01\"", "**");
    CHECK(test::error_of(entity_tags(with({{"If-Match", value}}), "If-Match")).reason == "invalid_precondition");
}

TEST_CASE("a weak tag matches weakly only", "[http][precondition]") {
    const EntityTags tags{.any = false, .tags = {"W/\"1.2\"", "\"3.4\""}};
    CHECK_FALSE(tags.strongly_match("\"1.2\""));
    CHECK(tags.weakly_match("\"1.2\""));
    CHECK(tags.strongly_match("\"3.4\""));
    CHECK_FALSE(tags.weakly_match("\"5.6\""));
}

TEST_CASE("Prefer is a wish: what cannot be read is ignored", "[http][precondition]") {
    CHECK(preferred_wait(with({{"Prefer", "wait=30"}})) == 30);
    CHECK(preferred_wait(with({{"prefer", "respond-async, WAIT=5 ; x=y"}})) == 5);
    CHECK(preferred_wait(with({{"Prefer", "return=minimal"}, {"Prefer", "wait=0"}})) == 0);
    for (const auto* value :
         {"", "wait", "wait=", "wait=x", "wait=-1", "wait=5s", "wait=99999999999999999999", "waits=5"})
        CHECK_FALSE(preferred_wait(with({{"Prefer", value}})));
}

TEST_CASE("an Idempotency-Key is short and visible", "[http][precondition]") {
    CHECK(test::value_of(idempotency_key(with({}))).empty());
    CHECK(test::value_of(idempotency_key(with({{"idempotency-key", "a-1!"}}))) == "a-1!");
    const std::string longest(255, 'k');
    CHECK(test::value_of(idempotency_key(with({{"Idempotency-Key", longest}}))) == longest);
    const std::string longer(256, 'k');
    for (const std::string_view bad : {std::string_view{}, std::string_view("a b"), std::string_view("\xC3\xA4"),
                                       std::string_view(longer), std::string_view("a\x7F")})
        CHECK(test::error_of(idempotency_key(with({{"Idempotency-Key", bad}}))).reason == "invalid_idempotency_key");
    CHECK_FALSE(idempotency_key(with({{"Idempotency-Key", "a"}, {"Idempotency-Key", "a"}})));
}

TEST_CASE("requests that differ have fingerprints that differ", "[http][precondition]") {
    Request one;
    one.method = Method::post;
    one.raw_target = "/v1/jails";
    one.body = "{}";
    auto other = one;
    CHECK(fingerprint(one) == fingerprint(other));
    other.body = "{ }";
    CHECK(fingerprint(one) != fingerprint(other));
    other = one;
    other.raw_target = "/v1/jails?dry_run=true";
    CHECK(fingerprint(one) != fingerprint(other));
    other = one;
    other.method = Method::put;
    CHECK(fingerprint(one) != fingerprint(other));
}
