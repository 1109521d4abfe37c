#include "core/kernel/freebsd/pure/zfs_rows.h"

#include <array>

namespace jaild::kernel::freebsd::zfs {

std::string_view take_part(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    const auto part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return part;
}

Result<std::vector<Row>> rows_of(std::string_view output) {
    std::vector<Row> all;
    while (!output.empty()) {
        auto line = take_part(output, '\n');
        if (line.empty()) continue;
        std::array<std::string_view, 4> fields;
        for (auto& field : fields) field = take_part(line, '\t');
        if (fields.back().empty() || !line.empty())
            return std::unexpected(
                Error{.code = Errc::corrupt, .op = "zfs", .detail = "zfs get answered with something else"});
        all.push_back({.name = fields[0], .property = fields[1], .value = fields[2], .source = fields[3]});
    }
    return all;
}

}  // namespace jaild::kernel::freebsd::zfs
