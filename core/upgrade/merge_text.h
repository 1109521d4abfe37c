#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Three-way merge of texts by lines. Pure; any thread.
namespace jaild::upgrade {

/// Text as diff(1) sees it: no NUL in it.
bool is_text(std::string_view content);

/// What a text becomes that was `base` once, that was changed to `ours` here and to `theirs` there: both changes. None
/// when both changed the same lines, or lines with none between them, and not in the same way. A line is told from
/// another byte by byte, its end included.
///
/// Made here and not by diff3(1): with -m, that of FreeBSD 14.0 loses and repeats lines around a change that alters
/// the number of lines, and ends with 0 (usr.bin/diff3/diff3.c, mergescript()).
std::optional<std::string> merge_text(std::string_view base, std::string_view ours, std::string_view theirs);

/// Texts with more lines are not for merge_text: the search for differences would take seconds.
inline constexpr std::size_t kMaxMergedLines = 200'000;
/// How many lines `text` has.
std::size_t count_lines(std::string_view text);

}  // namespace jaild::upgrade
