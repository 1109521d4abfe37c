#include "core/kernel/linux/host_template.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <optional>

#include "core/base/files.h"
#include "core/kernel/linux/etc_files.h"
#include "core/kernel/linux/host_etc.h"
#include "core/kernel/linux/shared_etc.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel::host_template {

namespace {

namespace fs = std::filesystem;

struct Directory {
    const char* path;  ///< of the parents before it
    unsigned mode;
};

/// hier(7), as far as it is the jail's own.
constexpr std::array kDirectories = std::to_array<Directory>({{"root", 0700},
                                                              {"home", 0755},
                                                              {"tmp", 01777},
                                                              {"run", 0755},
                                                              {"run/lock", 01777},
                                                              {"mnt", 0755},
                                                              {"opt", 0755},
                                                              {"srv", 0755},
                                                              {"var", 0755},
                                                              {"var/cache", 0755},
                                                              {"var/lib", 0755},
                                                              {"var/local", 0755},
                                                              {"var/log", 0755},
                                                              {"var/mail", 0755},
                                                              {"var/opt", 0755},
                                                              {"var/spool", 0755},
                                                              {"var/tmp", 01777}});

constexpr std::array kLocalDirectories =
    std::to_array<const char*>({"bin", "etc", "include", "lib", "sbin", "share", "src"});

/// What the runtime mounts on.
constexpr std::array kRuntimePoints = std::to_array<const char*>({"dev", "proc", "sys"});

/// Of the host: links into /usr on a merged system, directories on others.
constexpr std::array kUsrLike = std::to_array<const char*>({"bin", "sbin", "lib", "lib32", "lib64", "libx32"});

enum class Kind { missing, directory, link };

Kind kind_of(const fs::path& path) {
    struct stat seen {};
    if (::lstat(path.c_str(), &seen) != 0) return Kind::missing;
    if (S_ISDIR(seen.st_mode)) return Kind::directory;
    return S_ISLNK(seen.st_mode) ? Kind::link : Kind::missing;
}

fs::path on_host(const char* name) {
    return fs::path("/") / name;
}

/// Opens the directory `path` beneath `top`, each component made when it is missing.
Result<UniqueFd> make_directory(int top, const Directory& wanted) {
    const fs::path path = wanted.path;
    if (!path.has_parent_path()) return place::directory(top, path, wanted.mode);
    const auto parent = files::open_beneath(top, path.parent_path(), O_RDONLY | O_DIRECTORY);
    if (!parent) return std::unexpected(parent.error());
    return place::directory(parent->get(), path.filename(), wanted.mode);
}

Result<void> make_directories(int root) {
    for (const Directory& wanted : kDirectories) {
        if (auto made = make_directory(root, wanted); !made) return std::unexpected(made.error());
    }
    const auto var = files::open_beneath(root, "var", O_RDONLY | O_DIRECTORY);
    if (!var) return std::unexpected(var.error());
    if (auto linked = place::link(var->get(), "run", "/run"); !linked) return linked;
    return place::link(var->get(), "lock", "/run/lock");
}

/// /bin and its like: links as the host has them. Directories are mount points, made elsewhere.
Result<void> make_usr_links(int root) {
    for (const char* name : kUsrLike) {
        if (kind_of(on_host(name)) != Kind::link) continue;
        std::error_code failed;
        const fs::path target = fs::read_symlink(on_host(name), failed);
        if (failed) return std::unexpected(Error::from_errno("readlink", failed.value(), name));
        const std::string text = target.native();
        if (!text.starts_with("usr/") && !text.starts_with("/usr/")) continue;
        if (auto linked = place::link(root, name, text); !linked) return linked;
    }
    return {};
}

Result<void> make_local(int jail) {
    const auto local = place::directory(jail, "local", 0755);
    if (!local) return std::unexpected(local.error());
    for (const char* name : kLocalDirectories) {
        if (auto made = place::directory(local->get(), name, 0755); !made) return std::unexpected(made.error());
    }
    return place::link(local->get(), "man", "share/man");
}

Result<void> make_etc(int root) {
    const auto etc = files::open_beneath(root, "etc", O_RDONLY | O_DIRECTORY);
    if (!etc) return std::unexpected(etc.error());
    const auto host = files::open_directory("/etc");
    if (!host) return std::unexpected(host.error());
    if (auto copied = copy_host_etc(host->get(), etc->get()); !copied) return copied;
    const bool has_bash = ::access("/usr/bin/bash", X_OK) == 0;
    auto done = place::file(etc->get(), "passwd", etc::passwd(has_bash ? "/bin/bash" : "/bin/sh"), 0644);
    if (done) done = place::file(etc->get(), "group", etc::group(), 0644);
    if (done) done = place::file(etc->get(), "shadow", etc::shadow(), 0600);
    return done;
}

}  // namespace

Result<UniqueFd> restore_mount_points(int jail) {
    auto root = place::directory(jail, "root", 0755);
    if (!root) return root;
    for (const char* name : kRuntimePoints) {
        if (auto made = place::directory(root->get(), name, 0755); !made) return made;
    }
    if (auto made = place::directory(root->get(), "usr", 0755); !made) return made;
    for (const char* name : kUsrLike) {
        if (kind_of(on_host(name)) != Kind::directory) continue;
        if (auto made = place::directory(root->get(), name, 0755); !made) return made;
    }
    for (const char* path : {"etc", "etc/ssl"}) {
        if (auto made = make_directory(root->get(), {path, 0755}); !made) return made;
    }
    for (const SharedDirectory& shared : kSharedDirectories) {
        if (auto made = make_directory(root->get(), {shared.place, 0755}); !made) return made;
    }
    return root;
}

Result<void> make(int jail) {
    const auto root = restore_mount_points(jail);
    if (!root) return std::unexpected(root.error());
    auto done = make_directories(root->get());
    if (done) done = make_usr_links(root->get());
    if (done) done = make_local(jail);
    if (done) done = make_etc(root->get());
    return done;
}

Result<std::vector<Mount>> mounts(const Layout& layout, JailId id) {
    std::error_code failed;
    const fs::path usr = fs::canonical("/usr", failed);
    if (failed) return std::unexpected(Error::from_errno("realpath", failed.value(), "/usr"));
    std::vector<Mount> wanted;
    wanted.push_back({.source = layout.root(id), .target = "root"});
    // Setuid and file capabilities give nothing under no_new_privs; with nosuid a program that has them (ping) still runs.
    wanted.push_back({.source = usr, .target = "root/usr", .read_only = true, .no_suid = true});
    for (const char* name : kUsrLike) {
        if (kind_of(on_host(name)) != Kind::directory) continue;
        wanted.push_back(
            {.source = on_host(name), .target = std::string("root/") + name, .read_only = true, .no_suid = true});
    }
    // Where the host has no /usr/local there is nothing to cover, and no place to put ours.
    if (kind_of(usr / "local") == Kind::directory)
        wanted.push_back({.source = layout.local(id), .target = "root/usr/local"});
    return wanted;
}

}  // namespace jaild::kernel::host_template
