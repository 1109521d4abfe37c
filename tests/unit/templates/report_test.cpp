#include "core/templates/archive/report.h"

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::archive;

namespace {

std::optional<Report> spoken_and_heard(std::string line) {
    REQUIRE(line.back() == '\n');
    line.pop_back();
    CHECK(line.find('\n') == std::string::npos);
    return parse_line(line);
}

}  // namespace

TEST_CASE("what jaild-archive says is understood", "[archive][report]") {
    const Count count{.read = 1, .bytes = 18'446'744'073'709'551'615U, .entries = 3};
    CHECK(std::get<Count>(*spoken_and_heard(to_line(count))) == count);
    const Done done{.count = count, .sha256 = std::string(64, 'a')};
    CHECK(std::get<Done>(*spoken_and_heard(to_line(done))) == done);
    CHECK(std::get<Warning>(*spoken_and_heard(to_line(Warning{.text = "a\tb\nc"}))).text == "a?b?c");
    const Metadata metadata{.text = "{\"name\":\t\"web\"}\n" + std::string(kMetadataBytes - 20, '\n')};
    CHECK(std::get<Metadata>(*spoken_and_heard(to_line(metadata))) == metadata);
    CHECK(to_line(metadata).size() <= kLineBytes);
    const auto error = std::get<Error>(*spoken_and_heard(to_line(Error{.code = Errc::exhausted,
                                                                       .op = "unpack",
                                                                       .sys = 28,
                                                                       .detail = "no\nroom",
                                                                       .reason = "disk_full",
                                                                       .remedy = "free some"})));
    CHECK(error.code == Errc::exhausted);
    CHECK(error.reason == "disk_full");
    CHECK(error.sys == 28);
    CHECK(error.detail == "no?room");
    CHECK(error.remedy == "free some");
}

TEST_CASE("what jaild-archive never says is not understood", "[archive][report]") {
    for (const auto* line :
         {"", "metadata", "metadata\t?", "metadata\t\t", "count", "count\t1\t2", "count\t1\t2\tx", "count\t-1\t2\t3",
          "count\t1\t2\t3\t4", "done\t1\t2\t3", "error\tinvalid\tno_such_reason\t0\ta\tb",
          "error\tinvalid\tdisk_full\t0", "error\tinvalid\tdisk_full\tx\ta\tb", "hello", "warning"})
        CHECK_FALSE(parse_line(line));
}
