#include "core/upgrade/merge_text.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "core/upgrade/text_diff.h"

namespace jaild::upgrade {
namespace {

/// A text with where its lines begin; the last number is its end.
struct Text {
    std::string_view all;
    Lines lines{};
    std::vector<std::size_t> begins{};

    [[nodiscard]] std::string_view part(std::size_t from, std::size_t to) const {
        return all.substr(begins[from], begins[to] - begins[from]);
    }
};

/// Gives equal lines equal numbers.
class Numbering {
public:
    Text read(std::string_view all) {
        Text text{.all = all};
        for (std::size_t at = 0; at < all.size();) {
            const auto end = std::min(all.find('\n', at), all.size() - 1) + 1;
            const auto next = static_cast<std::uint32_t>(numbers_.size());
            text.lines.push_back(numbers_.try_emplace(all.substr(at, end - at), next).first->second);
            text.begins.push_back(at);
            at = end;
        }
        text.begins.push_back(all.size());
        return text;
    }

private:
    std::unordered_map<std::string_view, std::uint32_t> numbers_{};
};

/// One side's hunks, and how far they are dealt with.
struct Side {
    const Text& text;
    std::vector<Hunk> hunks;
    std::size_t next = 0;

    [[nodiscard]] bool more() const { return next < hunks.size(); }
};

/// Lines of the base that hunks of one side, or of both, change.
struct Region {
    std::size_t from;
    std::size_t to;
};

/// Takes the hunks of one side that overlap or touch the region, which grows by them. True when there was one.
bool take(Side& side, Region& region) {
    const auto before = side.next;
    for (; side.more() && side.hunks[side.next].old_from <= region.to; ++side.next)
        region.to = std::max(region.to, side.hunks[side.next].old_to);
    return side.next != before;
}

/// What one side has for the region, of which it took the hunks from `first` on, one at least.
std::string_view text_of(const Side& side, std::size_t first, const Region& region) {
    const auto& begin = side.hunks[first];
    const auto& end = side.hunks[side.next - 1];
    return side.text.part(begin.new_from - (begin.old_from - region.from), end.new_to + (region.to - end.old_to));
}

}  // namespace

bool is_text(std::string_view content) {
    return content.find('\0') == std::string_view::npos;
}

std::size_t count_lines(std::string_view text) {
    const auto ends = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    return ends + (!text.empty() && text.back() != '\n' ? 1 : 0);
}

std::optional<std::string> merge_text(std::string_view base, std::string_view ours, std::string_view theirs) {
    Numbering numbering;
    const auto old = numbering.read(base);
    const auto our_text = numbering.read(ours);
    const auto their_text = numbering.read(theirs);
    Side we{.text = our_text, .hunks = text_diff(old.lines, our_text.lines)};
    Side they{.text = their_text, .hunks = text_diff(old.lines, their_text.lines)};

    std::string merged;
    std::size_t done = 0;  // lines of the base
    while (we.more() || they.more()) {
        const auto from = std::min(we.more() ? we.hunks[we.next].old_from : old.lines.size(),
                                   they.more() ? they.hunks[they.next].old_from : old.lines.size());
        Region region{.from = from, .to = from};
        const auto our_first = we.next;
        const auto their_first = they.next;
        while (take(we, region) || take(they, region)) {
        }
        const bool our_change = we.next != our_first;
        const bool their_change = they.next != their_first;
        const auto our_part = our_change ? text_of(we, our_first, region) : std::string_view{};
        const auto their_part = their_change ? text_of(they, their_first, region) : std::string_view{};
        if (our_change && their_change && our_part != their_part) return std::nullopt;
        merged += old.part(done, region.from);
        merged += our_change ? our_part : their_part;
        done = region.to;
    }
    merged += old.part(done, old.lines.size());
    return merged;
}

}  // namespace jaild::upgrade
