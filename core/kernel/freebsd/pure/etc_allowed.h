#pragma once

#include <filesystem>
#include <span>
#include <string_view>

/// What template `host` takes from a FreeBSD host (DESIGN.md, "Template `host`"). Pure.
namespace jaild::kernel::freebsd {

/// The host's directories that a jail sees read-only, without the leading slash: "bin", "usr/lib".
std::span<const std::string_view> shared_directories();

/// The entries of the host's /etc that a jail gets a copy of: files, or directories with all that is in them.
std::span<const std::string_view> etc_entries();
/// Of what is in those directories, what a jail gets nevertheless not: "defaults/devfs.rules".
bool etc_excludes(const std::filesystem::path& relative);

/// Does the symbolic link `relative` of /etc lead to something that the jail sees as the host does: into one of the
/// shared directories, or to another entry?
bool etc_link_stays(const std::filesystem::path& relative, const std::filesystem::path& target);

}  // namespace jaild::kernel::freebsd
