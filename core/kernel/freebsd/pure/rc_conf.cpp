#include "core/kernel/freebsd/pure/rc_conf.h"

namespace jaild::kernel::freebsd {

std::string rc_value(std::string_view text, std::string_view name) {
    std::string value;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
        if (!line.starts_with(name)) continue;
        line.remove_prefix(name.size());
        if (!line.starts_with('=')) continue;
        line.remove_prefix(1);
        const char quote = line.empty() ? '\0' : line.front();
        if (quote == '"' || quote == '\'') {
            line.remove_prefix(1);
            value = std::string(line.substr(0, line.find(quote)));
        } else {
            value = std::string(line.substr(0, line.find_first_of(" \t;#")));
        }
    }
    return value;
}

}  // namespace jaild::kernel::freebsd
