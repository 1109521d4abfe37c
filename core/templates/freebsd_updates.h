#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/spawn.h"

/// How FreeBSD's own updaters are told to update a tree that is no running system. Pure.
namespace jaild::templates::freebsd {

/// Of the text of a tree's /bin/freebsd-version: "14.2-RELEASE-p1". Errc::unsupported "release_unknown" when it says
/// none.
Result<std::string> userland_version(std::string_view script);

/// freebsd-update(8): what the release of `version` got since. It exits with 0 also when there is nothing to install.
/// `work` is a directory of its own, on a disk: it refuses tmpfs. Only `fetch` needs to be told that there is no
/// terminal.
Argv freebsd_update(const std::filesystem::path& root, const std::filesystem::path& work, const std::string& version);

/// pkg-which(8): exits with 0 where /usr/bin/uname is a package's, which is what freebsd-update(8) itself asks before
/// it refuses a base of packages.
Argv find_pkgbase(const std::filesystem::path& root);

/// pkg-upgrade(8): the packages of the base, and no others.
Argv pkgbase_upgrade(const std::filesystem::path& root);

}  // namespace jaild::templates::freebsd
