#pragma once

#include <string_view>
#include <vector>

#include "core/base/error.h"

/// Answers of zfs-get(8). Pure.
namespace jaild::kernel::freebsd::zfs {

struct Row {
    std::string_view name;
    std::string_view property;
    std::string_view value;
    std::string_view source;
};

/// What is before the separator, which is taken off `text` with it; all where there is none.
std::string_view take_part(std::string_view& text, char separator);

/// What it prints with -H -o name,property,value,source. Errc::corrupt when it is something else.
Result<std::vector<Row>> rows_of(std::string_view output);

}  // namespace jaild::kernel::freebsd::zfs
