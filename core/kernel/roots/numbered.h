#pragma once

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace jaild::kernel {

/// What lies in `all` under a number, or a number with one of `endings` (".removing"): each number once, in order.
/// Nothing where there is no such directory. Blocking.
template <class Id>
Result<std::vector<Id>> numbered(const std::filesystem::path& all, std::initializer_list<std::string_view> endings) {
    std::set<Id> ids;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(all, failed), last; !failed && at != last; at.increment(failed)) {
        const auto file = at->path().filename();
        std::string_view name = file.native();
        for (const auto ending : endings)
            if (name.ends_with(ending)) name.remove_suffix(ending.size());
        Id id;
        const auto* const end = name.data() + name.size();
        const auto [read, wrong] = std::from_chars(name.data(), end, id.value);
        if (wrong == std::errc{} && read == end && id.value > 0) ids.insert(id);
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return std::unexpected(Error::from_errno("readdir", failed.value(), all));
    return std::vector<Id>(ids.begin(), ids.end());
}

}  // namespace jaild::kernel
