#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Three-way merge of passwd(5), master.passwd(5), group(5) and their like. Pure; any thread.
namespace jaild::upgrade {

/// Files of /etc whose lines are records, told by their first field: both sides may add some at the same place.
bool is_record_file(std::string_view path);

/// What `base` becomes with the changes of both sides: records in the order of `ours`, each new one of `theirs` after
/// the one that it follows there. A record that both changed is merged field by field. None when that cannot be had:
/// both gave one field another value, one side removed what the other changed, both added a record of that name, or of
/// that number (the third field) under another name; and when a text has two records of one name.
std::optional<std::string> merge_records(std::string_view base, std::string_view ours, std::string_view theirs);

}  // namespace jaild::upgrade
