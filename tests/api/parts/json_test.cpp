#include "api/http/json.h"

#include <nlohmann/json.hpp>

#include "core/base/utf8.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::api;

namespace {

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

std::string_view refusal(std::string_view text) {
    return test::error_of(parse_json(text, 64)).reason;
}

}  // namespace

TEST_CASE("JSON is read as it is", "[http][json]") {
    const auto value = test::value_of(parse_json(R"({"a":[1,{"b":null}],"c":"ä","d":{"a":1}})", 64));
    CHECK(value["a"][1]["b"].is_null());
    CHECK(value["c"] == "ä");
    CHECK(value["d"]["a"] == 1);
}

TEST_CASE("nesting is refused where it becomes too deep", "[http][json]") {
    CHECK(parse_json(nested(64), 64));
    CHECK(refusal(nested(65)) == "json_too_deep");
    CHECK(refusal(nested(100'000)) == "json_too_deep");
    // At once: what follows is not even looked at.
    CHECK(refusal(std::string(65, '[') + "nonsense") == "json_too_deep");
    std::string objects;
    for (int i = 0; i < 65; ++i) objects += R"({"k":)";
    CHECK(refusal(objects) == "json_too_deep");
    // Depth, not number.
    std::string wide = "[";
    for (int i = 0; i < 10'000; ++i) wide += "[],";
    CHECK(parse_json(wide + "[]]", 64));
}

TEST_CASE("a key that comes twice in one object is refused", "[http][json]") {
    CHECK(refusal(R"({"a":1,"a":1})") == "duplicate_key");
    CHECK(refusal(R"({"x":{"a":1,"b":[],"a":2}})") == "duplicate_key");
    CHECK(refusal(R"([{"a":[{"a":1}],"a":1}])") == "duplicate_key");
    CHECK(refusal(R"({"\u0061":1,"a":2})") == "duplicate_key");
    CHECK(parse_json(R"([{"a":{"a":{"a":1}}},{"a":1},{"b":{"a":1},"a":2}])", 64));
}

TEST_CASE("broken JSON is malformed, whatever is broken", "[http][json]") {
    const auto* text = GENERATE("", " ", "{", "[1,]", R"({"a":})", "01", "1e999", "NaN", "'a'", R"("\ud800")",
                                "\"a\nb\"", "true false", "\xEF\xBB\xBF", "/* */ 1", R"({1:2})", R"("\x")");
    INFO(text);
    const auto error = test::error_of(parse_json(text, 64));
    CHECK(error.reason == "malformed_json");
    CHECK(error.detail.size() <= 300);
}

TEST_CASE("bytes that are not UTF-8 are told apart", "[http][json]") {
    CHECK(refusal("\"\xff\"") == "invalid_utf8");
    CHECK(refusal("{\"\xC3\":1}") == "invalid_utf8");
    CHECK(refusal("\xff") == "invalid_utf8");
}

TEST_CASE("UTF-8 is what RFC 3629 says", "[http][utf8]") {
    for (const auto* good :
         {"", "ascii only, long enough", "ä", "€", "𝄞", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"})
        CHECK(is_utf8(good));
    for (const auto* bad : {"\x80", "\xC0\xAF", "\xC1\xBF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "1234567\xC3", "12345678\xE2\x82"})
        CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("what is no UTF-8 does not stop an answer", "[http][json]") {
    CHECK(dump({{"path", "/tmp/\xff"}}) == "{\"path\":\"/tmp/\xEF\xBF\xBD\"}");
}
