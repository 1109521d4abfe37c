#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

/// What the writers and readers of pf(4)'s rules share. Pure.
namespace jaild::kernel::freebsd::pf {

/// Not empty, without spaces around them.
std::vector<std::string_view> lines(std::string_view text);
/// FNV-1a (draft-eastlake-fnv). Tells a rule of ours from one of an earlier version; not a secret.
std::uint64_t hash(std::string_view text);
/// An interface that pf.conf(5) can read as nothing else.
bool is_plain(std::string_view name);
/// "12" in "[ Evaluations: 9  Packets: 12 ]" for "Packets:"; 0 where there is none.
std::uint64_t number_after(std::string_view line, std::string_view title);

}  // namespace jaild::kernel::freebsd::pf
