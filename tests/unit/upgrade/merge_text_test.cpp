#include "core/upgrade/merge_text.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/upgrade/text_diff.h"
#include "tests/catch.h"

using namespace jaild::upgrade;

namespace {

constexpr const char* kBase = "a\nb\nc\nd\ne\nf\ng\n";

/// What text_diff said of two texts, carried out.
Lines carried_out(const Lines& old, const Lines& changed) {
    Lines made;
    std::size_t at = 0;
    for (const auto& hunk : text_diff(old, changed)) {
        for (; at < hunk.old_from; ++at) made.push_back(old[at]);
        REQUIRE(made.size() == hunk.new_from);
        made.insert(made.end(), changed.begin() + static_cast<std::ptrdiff_t>(hunk.new_from),
                    changed.begin() + static_cast<std::ptrdiff_t>(hunk.new_to));
        at = hunk.old_to;
    }
    made.insert(made.end(), old.begin() + static_cast<std::ptrdiff_t>(at), old.end());
    return made;
}

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_); }
    Lines lines() {
        Lines made(below(12));
        for (auto& line : made) line = static_cast<std::uint32_t>(below(4));
        return made;
    }
    /// Some lines out, some in, some changed.
    std::vector<std::string> edited(std::vector<std::string> lines) {
        for (auto edits = below(4); edits > 0; --edits) {
            const auto at = lines.empty() ? 0 : below(lines.size());
            const auto where = lines.begin() + static_cast<std::ptrdiff_t>(at);
            switch (below(3)) {
                case 0:
                    lines.insert(where, "new" + std::to_string(below(3)) + "\n");
                    break;
                case 1:
                    if (!lines.empty()) lines.erase(where);
                    break;
                default:
                    if (!lines.empty()) *where = "changed" + std::to_string(below(3)) + "\n";
            }
        }
        return lines;
    }

private:
    std::mt19937 engine_;
};

std::string text_from(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line;
    return text;
}

/// Number of single lines put in and taken away.
std::size_t edits(const Lines& old, const Lines& changed) {
    std::size_t count = 0;
    for (const auto& hunk : text_diff(old, changed)) count += hunk.old_to - hunk.old_from + hunk.new_to - hunk.new_from;
    return count;
}

/// The same by the longest common subsequence, the slow and plain way.
std::size_t fewest_edits(const Lines& old, const Lines& changed) {
    std::vector<std::vector<std::size_t>> common(old.size() + 1, std::vector<std::size_t>(changed.size() + 1));
    for (std::size_t i = 1; i <= old.size(); ++i)
        for (std::size_t j = 1; j <= changed.size(); ++j)
            common[i][j] =
                old[i - 1] == changed[j - 1] ? common[i - 1][j - 1] + 1 : std::max(common[i - 1][j], common[i][j - 1]);
    return old.size() + changed.size() - 2 * common.back().back();
}

}  // namespace

TEST_CASE("changes at different places are both taken", "[upgrade][merge_text]") {
    CHECK(merge_text(kBase, "A\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nd\ne\nf\nG\n") == "A\nb\nc\nd\ne\nf\nG\n");
    // One that alters the number of lines moves nothing else.
    CHECK(merge_text(kBase, kBase, "a\nb\nX\nY\nd\ne\nf\ng\n") == "a\nb\nX\nY\nd\ne\nf\ng\n");
    CHECK(merge_text(kBase, "0\na\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\ne\nf\ng\n") == "0\na\nb\ne\nf\ng\nh\n");
    CHECK(merge_text("", "", "x\n") == "x\n");
    CHECK(merge_text("x\n", "", "x\n") == "");
}

TEST_CASE("the same change on both sides is one", "[upgrade][merge_text]") {
    CHECK(merge_text(kBase, "a\nB\nc\nd\ne\nf\ng\n", "a\nB\nc\nd\ne\nF\ng\n") == "a\nB\nc\nd\ne\nF\ng\n");
    CHECK(merge_text("", "x\n", "x\n") == "x\n");
}

TEST_CASE("changes of the same lines, or without a line between them, are a conflict", "[upgrade][merge_text]") {
    CHECK(merge_text(kBase, "a\nB\nc\nd\ne\nf\ng\n", "a\nb2\nc\nd\ne\nf\ng\n") == std::nullopt);
    CHECK(merge_text(kBase, "a\nB\nc\nd\ne\nf\ng\n", "a\nb\nC\nd\ne\nf\ng\n") == std::nullopt);
    CHECK(merge_text(kBase, "a\nB\nc\nd\ne\nf\ng\n", "a\nc\nd\ne\nf\ng\n") == std::nullopt);
    CHECK(merge_text("a\n", "a\nours\n", "a\ntheirs\n") == std::nullopt);
    CHECK(merge_text("", "ours\n", "theirs\n") == std::nullopt);
}

TEST_CASE("a last line without an end is a line of its own kind", "[upgrade][merge_text]") {
    CHECK(merge_text("a\nb\nc", "A\nb\nc", "a\nb\nc\n") == "A\nb\nc\n");
    CHECK(merge_text("a\nb\nc\n", "A\nb\nc\n", "a\nb\nc") == "A\nb\nc");
    CHECK(merge_text("a\nb\nc", "a\nb\nc\nd\n", "a\nb\nc\n") == std::nullopt);
    CHECK(merge_text("a\r\nb\nc\n", "a\nb\nc\n", "a\r\nb\nC\n") == "a\nb\nC\n");
}

TEST_CASE("accounts that a jail added stay beside those that a template added", "[upgrade][merge_text]") {
    const std::string base = "root:*:0:0\nbin:*:7:7\nnobody:*:65534:65534\n";
    const std::string ours = "root:$6$x:0:0\nbin:*:7:7\nnobody:*:65534:65534\nweb:*:1001:1001\n";
    const std::string theirs = "root:*:0:0\nbin:*:7:7\nntpd:*:123:123\nnobody:*:65534:65534\n";
    CHECK(merge_text(base, ours, theirs) ==
          "root:$6$x:0:0\nbin:*:7:7\nntpd:*:123:123\nnobody:*:65534:65534\nweb:*:1001:1001\n");
}

TEST_CASE("differences are whole and the fewest", "[upgrade][merge_text][property]") {
    Random random(4711);
    for (int round = 0; round < 20'000; ++round) {
        const auto old = random.lines();
        const auto changed = random.lines();
        REQUIRE(carried_out(old, changed) == changed);
        REQUIRE(edits(old, changed) == fewest_edits(old, changed));
        const auto hunks = text_diff(old, changed);
        for (std::size_t i = 1; i < hunks.size(); ++i) REQUIRE(hunks[i].old_from > hunks[i - 1].old_to);
    }
}

TEST_CASE("texts that have little in common are one difference, soon", "[upgrade][merge_text]") {
    Lines old(100'000);
    Lines changed(100'000);
    for (std::uint32_t i = 0; i < old.size(); ++i) {
        old[i] = i;
        changed[i] = i % 2 == 0 ? i : 1'000'000 + i;
    }
    const auto hunks = text_diff(old, changed);
    REQUIRE(hunks.size() == 1);
    CHECK(hunks[0].old_from == 1);
    CHECK(carried_out(old, changed) == changed);
}

TEST_CASE("a merge keeps both sides' changes, whichever side is which", "[upgrade][merge_text][property]") {
    Random random(42);
    int clean = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::string> lines(random.below(14));
        for (auto& line : lines) line = std::string(1, static_cast<char>('a' + random.below(8))) + "\n";
        const auto base = text_from(lines);
        const auto ours = text_from(random.edited(lines));
        const auto theirs = text_from(random.edited(lines));
        REQUIRE(merge_text(base, ours, base) == ours);
        REQUIRE(merge_text(base, base, theirs) == theirs);
        REQUIRE(merge_text(base, ours, ours) == ours);
        const auto merged = merge_text(base, ours, theirs);
        REQUIRE(merged == merge_text(base, theirs, ours));
        if (!merged) continue;
        ++clean;
        // What was put in is there, and nothing else.
        for (const char* line : {"new0\n", "new1\n", "new2\n", "changed0\n", "changed1\n", "changed2\n"}) {
            const bool in_one = ours.find(line) != std::string::npos || theirs.find(line) != std::string::npos;
            REQUIRE((merged->find(line) != std::string::npos) == in_one);
        }
    }
    CHECK(clean > 5'000);
}

TEST_CASE("a NUL makes a file binary", "[upgrade][merge_text]") {
    CHECK(is_text(""));
    CHECK(is_text("caf\xc3\xa9 \xff\n"));
    CHECK_FALSE(is_text(std::string_view("a\0b", 3)));
    CHECK(count_lines("") == 0);
    CHECK(count_lines("a\nb") == 2);
    CHECK(count_lines("a\nb\n") == 2);
}
