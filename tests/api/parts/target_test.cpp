#include "api/http/target.h"

#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::api;
using Segments = std::vector<std::string>;

TEST_CASE("a path is decoded segment by segment", "[http][target]") {
    CHECK(test::value_of(parse_target("/v1/jails/web")).segments == Segments{"v1", "jails", "web"});
    CHECK(test::value_of(parse_target("/")).segments.empty());
    CHECK(test::value_of(parse_target("/v1/")).segments == Segments{"v1", ""});
    CHECK(test::value_of(parse_target("//")).segments == Segments{"", ""});
    // An encoded slash stays within its segment, and dots are not resolved.
    CHECK(test::value_of(parse_target("/a%2Fb/..")).segments == Segments{"a/b", ".."});
    CHECK(test::value_of(parse_target("/a+b/%C3%A4")).segments == Segments{"a+b", "ä"});
}

TEST_CASE("a query is a list of decoded parameters", "[http][target]") {
    const auto query = test::value_of(parse_target("/x?label=a%3Db+c&limit=5&&flag&empty=")).query;
    using Items = std::vector<std::pair<std::string, std::string>>;
    CHECK(query.items() == Items{{"label", "a=b c"}, {"limit", "5"}, {"flag", ""}, {"empty", ""}});
    CHECK(query.find("limit") == "5");
    CHECK_FALSE(query.find("Limit"));
}

TEST_CASE("all forms of a target", "[http][target]") {
    CHECK(test::value_of(parse_target("*")).asterisk);
    const auto absolute = test::value_of(parse_target("http://localhost:80/v1?x=1"));
    CHECK(absolute.authority == "localhost:80");
    CHECK(absolute.segments == Segments{"v1"});
    CHECK(test::value_of(parse_target("http://a")).segments.empty());
}

TEST_CASE("what is no target is refused", "[http][target]") {
    const auto* text = GENERATE("", "v1", "/%", "/%4", "/%4g", "/%-1", "/ ", "/a#b", "/\\", "/<", "/\x7f", "/ä",
                                "http://", "http:///x", "https://a/", "/a?b=%zz", "/\n");
    INFO(text);
    CHECK(test::error_of(parse_target(text)).reason == "bad_target");
}

TEST_CASE("what is not UTF-8 once decoded is refused", "[http][target]") {
    const auto* text = GENERATE("/%ff", "/%c3", "/%ed%a0%80", "/x?a=%80", "/x?%fe=1");
    CHECK(test::error_of(parse_target(text)).reason == "invalid_utf8");
}

TEST_CASE("flags and numbers of a query are strict", "[http][target]") {
    const auto query =
        test::value_of(parse_target("/?yes=true&no=false&bad=1&n=7&neg=-3&word=x&empty=&plus=%2B7")).query;
    CHECK(test::value_of(query.flag("yes", false)));
    CHECK_FALSE(test::value_of(query.flag("no", true)));
    CHECK(test::value_of(query.flag("absent", true)));
    CHECK(test::error_of(query.flag("bad", false)).reason == "invalid_parameter");
    CHECK(test::value_of(query.number("n", 1, 1, 7)) == 7);
    CHECK(test::value_of(query.number("absent", 3, 5, 7)) == 3);
    CHECK(test::value_of(query.number("neg", 0, -5, 5)) == -3);
    for (const auto* name : {"word", "empty", "neg", "plus"})
        CHECK(test::error_of(query.number(name, 1, 0, 100)).reason == "invalid_parameter");
    CHECK(test::error_of(query.number("n", 1, 1, 6)).reason == "invalid_parameter");
}

TEST_CASE("what is encoded is decoded to the same", "[http][target]") {
    std::string all;
    for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
    all += "ä€𝄞";
    CHECK(test::value_of(parse_target("/x?v=" + percent_encode(all))).query.find("v") == all);
    CHECK(test::value_of(parse_target("/" + percent_encode(all))).segments == Segments{all});
}
