#include "core/kernel/linux/jail_user.h"

#include <algorithm>
#include <optional>

#include "core/base/files.h"
#include "core/kernel/account_lines.h"

namespace jaild::kernel {
namespace {

using accounts::each_line;
using accounts::number;
using accounts::split;

constexpr std::size_t kMaxGroups = 1024;

bool is_member(std::string_view members, std::string_view name) {
    while (!members.empty()) {
        const auto comma = std::min(members.find(','), members.size());
        if (members.substr(0, comma) == name) return true;
        members.remove_prefix(std::min(comma + 1, members.size()));
    }
    return false;
}

std::optional<JailUser> entry_of(std::string_view line, const std::string& user) {
    const auto fields = split<7>(line);
    if (!fields) return std::nullopt;
    const auto& [name, password, uid_text, gid_text, comment, home, shell] = *fields;
    const auto uid = number(uid_text);
    const auto gid = number(gid_text);
    if (!uid || !gid || name.empty()) return std::nullopt;
    if (name != user && number(user) != uid) return std::nullopt;
    return JailUser{.uid = *uid,
                    .gid = *gid,
                    .groups = {},
                    .name = std::string(name),
                    .home = home.starts_with('/') ? std::string(home) : "/",
                    .shell = shell.starts_with('/') ? std::string(shell) : "/bin/sh"};
}

Error not_found(const std::string& user) {
    return Error{.code = Errc::not_found, .op = "passwd", .detail = "the jail's passwd has no user " + user};
}

}  // namespace

Result<JailUser> find_user(std::string_view passwd, std::string_view group, const std::string& user) {
    std::optional<JailUser> by_name;
    std::optional<JailUser> by_number;
    each_line(passwd, [&](std::string_view line) {
        auto entry = entry_of(line, user);
        if (!entry) return true;
        auto& kept = entry->name == user ? by_name : by_number;
        if (!kept) kept = std::move(entry);
        return !by_name;
    });
    // A user whose name is a number goes before the user of that number, as with chown(8).
    auto found = by_name ? std::move(by_name) : std::move(by_number);
    if (!found) return std::unexpected(not_found(user));
    each_line(group, [&](std::string_view line) {
        const auto fields = split<4>(line);
        const auto gid = fields ? number((*fields)[2]) : std::nullopt;
        if (!gid || *gid == found->gid || !is_member((*fields)[3], found->name)) return true;
        if (std::find(found->groups.begin(), found->groups.end(), *gid) == found->groups.end())
            found->groups.push_back(*gid);
        return found->groups.size() < kMaxGroups;
    });
    return *std::move(found);
}

Result<JailUser> find_user_in(int root, const std::string& user) {
    const auto missing = [](const Error& error) { return error.code == Errc::not_found; };
    const auto passwd = files::read(root, "etc/passwd", accounts::kFileLimit);
    if (!passwd && !missing(passwd.error())) return std::unexpected(passwd.error());
    if (!passwd) {
        if (user != "root" && user != "0") return std::unexpected(not_found(user));
        return JailUser{.uid = 0, .gid = 0, .groups = {}, .name = "root", .home = "/", .shell = "/bin/sh"};
    }
    const auto group = files::read(root, "etc/group", accounts::kFileLimit);
    if (!group && !missing(group.error())) return std::unexpected(group.error());
    return find_user(*passwd, group.value_or(std::string()), user);
}

}  // namespace jaild::kernel
