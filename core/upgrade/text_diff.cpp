#include "core/upgrade/text_diff.h"

#include <algorithm>

namespace jaild::upgrade {
namespace {

using Index = std::int32_t;

/// The search keeps a row of 2 n + 1 numbers for each edit n: 16 MiB at this many.
constexpr Index kMaxEdits = 2000;

/// Both texts without what they begin and end with in common.
struct Middle {
    const Lines& old;
    const Lines& changed;
    std::size_t begin = 0;
    std::size_t old_end;
    std::size_t changed_end;

    Middle(const Lines& a, const Lines& b) : old(a), changed(b), old_end(a.size()), changed_end(b.size()) {
        while (begin < old_end && begin < changed_end && old[begin] == changed[begin]) ++begin;
        while (old_end > begin && changed_end > begin && old[old_end - 1] == changed[changed_end - 1]) {
            --old_end;
            --changed_end;
        }
    }
    [[nodiscard]] Index old_size() const { return static_cast<Index>(old_end - begin); }
    [[nodiscard]] Index changed_size() const { return static_cast<Index>(changed_end - begin); }
    [[nodiscard]] bool same(Index x, Index y) const {
        return old[begin + static_cast<std::size_t>(x)] == changed[begin + static_cast<std::size_t>(y)];
    }
};

/// Row d, slot k + d: how far on diagonal k = x - y one comes with d edits, as x.
using Trace = std::vector<std::vector<Index>>;

/// Whether diagonal k of row d is reached by an insertion, downwards from k + 1, or by a deletion from k - 1.
bool inserted(const std::vector<Index>& before, Index d, Index k) {
    const auto at = [&](Index diagonal) { return before[static_cast<std::size_t>(diagonal + d - 1)]; };
    return k == -d || (k != d && at(k - 1) < at(k + 1));
}

Index start_of(const std::vector<Index>& before, Index d, Index k) {
    const auto at = [&](Index diagonal) { return before[static_cast<std::size_t>(diagonal + d - 1)]; };
    return inserted(before, d, k) ? at(k + 1) : at(k - 1) + 1;
}

/// Empty when there are too many edits.
Trace search(const Middle& middle) {
    const Index n = middle.old_size();
    const Index m = middle.changed_size();
    Trace trace;
    for (Index d = 0; d <= kMaxEdits; ++d) {
        trace.emplace_back(static_cast<std::size_t>(2 * d + 1), -1);
        for (Index k = -d; k <= d; k += 2) {
            Index x = d == 0 ? 0 : start_of(trace[static_cast<std::size_t>(d - 1)], d, k);
            // Beyond an end of either text nothing is to be found, and the numbers stay small.
            if (x > n || x - k > m) {
                x = x > n ? n + 1 : m + k + 1;
                trace.back()[static_cast<std::size_t>(k + d)] = x;
                continue;
            }
            while (x < n && x - k < m && middle.same(x, x - k)) ++x;
            trace.back()[static_cast<std::size_t>(k + d)] = x;
            if (x == n && x - k == m) return trace;
        }
    }
    return {};
}

/// One line taken away or put in, joined with the hunk that follows it if no common line lies between.
void put_before(std::vector<Hunk>& hunks, const Hunk& edit) {
    if (!hunks.empty() && hunks.back().old_from == edit.old_to && hunks.back().new_from == edit.new_to) {
        hunks.back().old_from = edit.old_from;
        hunks.back().new_from = edit.new_from;
    } else {
        hunks.push_back(edit);
    }
}

}  // namespace

std::vector<Hunk> text_diff(const Lines& old, const Lines& changed) {
    const Middle middle(old, changed);
    Index x = middle.old_size();
    Index y = middle.changed_size();
    if (x == 0 && y == 0) return {};
    const auto line = [&](Index at) { return middle.begin + static_cast<std::size_t>(at); };
    const auto trace = x == 0 || y == 0 ? Trace{} : search(middle);
    if (trace.empty()) return {Hunk{line(0), line(x), line(0), line(y)}};

    std::vector<Hunk> hunks;  // from the end
    for (auto d = static_cast<Index>(trace.size()) - 1; d > 0; --d) {
        const auto& before = trace[static_cast<std::size_t>(d - 1)];
        const Index k = x - y;
        const Index from = start_of(before, d, k);
        const bool insertion = inserted(before, d, k);
        const Index to_y = from - k;
        x = insertion ? from : from - 1;
        y = insertion ? to_y - 1 : to_y;
        put_before(hunks, Hunk{line(x), line(from), line(y), line(to_y)});
    }
    std::reverse(hunks.begin(), hunks.end());
    return hunks;
}

}  // namespace jaild::upgrade
