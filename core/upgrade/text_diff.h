#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

/// Differences of two texts by lines; for merge_text.
namespace jaild::upgrade {

/// Lines of several texts as numbers: the same line, with its end, has the same number in each.
using Lines = std::vector<std::uint32_t>;

/// Lines `from` to `to` (behind the last) of one text, and what stands for them in the other; one of both can be empty.
struct Hunk {
    std::size_t old_from = 0;
    std::size_t old_to = 0;
    std::size_t new_from = 0;
    std::size_t new_to = 0;
};

/// What makes `changed` out of `old`, in order; between two hunks lies at least one line that both have. The shortest
/// such list (E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986); for texts that differ in more
/// than some two thousand lines all of it is one hunk, from the first difference to the last.
std::vector<Hunk> text_diff(const Lines& old, const Lines& changed);

}  // namespace jaild::upgrade
