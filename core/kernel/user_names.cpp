#include "core/kernel/user_names.h"

#include "core/base/files.h"
#include "core/kernel/account_lines.h"

namespace jaild::kernel {

std::map<std::uint32_t, std::string> user_names(std::string_view passwd) {
    std::map<std::uint32_t, std::string> names;
    accounts::each_line(passwd, [&names](std::string_view line) {
        const auto fields = accounts::split<7>(line);
        const auto uid = fields ? accounts::number((*fields)[2]) : std::nullopt;
        if (uid && !fields->front().empty()) names.try_emplace(*uid, fields->front());
        return true;
    });
    return names;
}

std::map<std::uint32_t, std::string> user_names_in(const std::filesystem::path& root) {
    const auto held = files::open_directory(root);
    if (!held) return {};
    const auto passwd = files::read(held->get(), "etc/passwd", accounts::kFileLimit);
    return passwd ? user_names(*passwd) : std::map<std::uint32_t, std::string>{};
}

}  // namespace jaild::kernel
