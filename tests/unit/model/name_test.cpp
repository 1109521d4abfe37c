#include "core/model/name.h"

#include "tests/results.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;

TEST_CASE("a name of letters, digits, underscores and hyphens is kept as it is", "[model][name]") {
    const auto text = GENERATE(as<std::string>{}, "web", "W", "0web", "1-2", "a_b-C9", std::string(63, 'a'),
                               std::string(62, '1') + "a");
    CHECK(value_of(Name::parse(text)).text() == text);
}

TEST_CASE("a name that means something else to a kernel, a shell or a path is refused", "[model][name]") {
    const auto text = GENERATE(as<std::string>{}, "", "0", "123", std::string(63, '7'), std::string(64, 'a'),
                               std::string(65536, 'a'), "../x", "a/b", "a.b", "a;b", "a b", "a\n", "\na", "-a", "_a",
                               "a\t", std::string("a\0b", 3), "ä", "a\x80", "a$", "*");
    INFO(text.substr(0, 80));
    const auto error = error_of(Name::parse(text, "/here"));
    CHECK(error.code == Errc::invalid);
    CHECK(error.name() == "invalid_name");
    CHECK(error.field == "/here");
    CHECK(error.detail.size() < 200);  // what was sent is not sent back
}

TEST_CASE("names that differ only in case have one key", "[model][name]") {
    CHECK(value_of(Name::parse("Web-A")).key() == value_of(Name::parse("wEB-a")).key());
    CHECK(value_of(Name::parse("Web-A")).key() == "web-a");
    CHECK(value_of(Name::parse("web_a")).key() != value_of(Name::parse("web-a")).key());
}
