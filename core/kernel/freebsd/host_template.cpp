#include "core/kernel/freebsd/host_template.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <future>

#include "core/base/files.h"
#include "core/base/spawn.h"
#include "core/kernel/freebsd/host_etc.h"
#include "core/kernel/freebsd/pure/etc_accounts.h"
#include "core/kernel/freebsd/pure/etc_allowed.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel::freebsd::host_template {

namespace {

namespace fs = std::filesystem;

struct Directory {
    const char* name;
    unsigned mode;
};

/// hier(7), as far as it is the jail's own; what is beneath /var, mtree(8) knows.
constexpr std::array kDirectories = std::to_array<Directory>({{"etc", 0755},
                                                              {"home", 0755},
                                                              {"media", 0755},
                                                              {"mnt", 0755},
                                                              {"net", 0755},
                                                              {"proc", 0555},
                                                              {"root", 0750},
                                                              {"tmp", 01777},
                                                              {"var", 0755}});

constexpr const char* kVarHierarchy = "/etc/mtree/BSD.var.dist";
constexpr Milliseconds kProgramTimeout{60'000};

bool on_host(std::string_view directory) {
    struct stat seen {};
    const std::string path = "/" + std::string(directory);
    return ::lstat(path.c_str(), &seen) == 0 && S_ISDIR(seen.st_mode);
}

Result<void> run_program(std::string_view name, const Argv& argv) {
    const auto completed = run(argv, {.timeout = kProgramTimeout});
    if (!completed) return std::unexpected(completed.error());
    if (completed->exit_code == 0) return {};
    std::string said = completed->error_output.empty() ? completed->output : completed->error_output;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return std::unexpected(
        Error{.code = Errc::kernel,
              .op = name,
              .detail = argv.front() + " failed (" + std::to_string(completed->exit_code) + "): " + said,
              .reason = "program_failed"});
}

Result<void> make_etc(int root) {
    const auto etc = files::open_beneath(root, "etc", O_RDONLY | O_DIRECTORY);
    if (!etc) return std::unexpected(etc.error());
    const auto host = files::open_directory("/etc");
    if (!host) return std::unexpected(host.error());
    auto done = copy_host_etc(host->get(), etc->get());
    if (done) done = place::file(etc->get(), "rc.conf", rc_conf(), 0644);
    if (done) done = place::file(etc->get(), "fstab", fstab(), 0644);
    if (done) done = place::file(etc->get(), "group", group(), 0644);
    if (done) done = place::file(etc->get(), "master.passwd", master_passwd(), 0600);
    return done;
}

/// pwd_mkdb(8)'s, from the text in the jail's /etc.
Result<void> make_account_database(const fs::path& path) {
    const fs::path directory = path / "root/etc";
    return run_program("pwd_mkdb", {"pwd_mkdb", "-p", "-d", directory, directory / "master.passwd"});
}

/// With the jail's own accounts (-N reads their text): the host's may have other numbers. -U: what it mends is no
/// error.
Result<void> make_var(const fs::path& path) {
    return run_program("mtree",
                       {"mtree", "-deU", "-N", path / "root/etc", "-f", kVarHierarchy, "-p", path / "root/var"});
}

}  // namespace

Result<UniqueFd> restore_mount_points(int jail) {
    auto root = place::directory(jail, "root", 0755);
    if (!root) return root;
    if (auto made = place::directory(root->get(), "dev", 0555); !made) return made;
    const auto usr = place::directory(root->get(), "usr", 0755);
    if (!usr) return std::unexpected(usr.error());
    for (const fs::path directory : shared_directories()) {
        if (!on_host(directory.native())) continue;
        const int parent = directory.has_parent_path() ? usr->get() : root->get();
        if (auto made = place::directory(parent, directory.filename(), 0755); !made) return made;
    }
    return root;
}

Result<void> make(int jail, const fs::path& path) {
    const auto root = restore_mount_points(jail);
    if (!root) return std::unexpected(root.error());
    for (const Directory& wanted : kDirectories) {
        if (auto made = place::directory(root->get(), wanted.name, wanted.mode); !made)
            return std::unexpected(made.error());
    }
    const auto usr = files::open_beneath(root->get(), "usr", O_RDONLY | O_DIRECTORY);
    if (!usr) return std::unexpected(usr.error());
    if (auto made = place::directory(usr->get(), "local", 0755); !made) return std::unexpected(made.error());
    if (auto done = make_etc(root->get()); !done) return done;
    // Side by side: neither reads what the other writes.
    auto accounts = std::async(std::launch::async, [&path] { return make_account_database(path); });
    auto var = make_var(path);
    auto database = accounts.get();
    return database ? var : database;
}

std::vector<Mount> mounts() {
    std::vector<Mount> wanted;
    for (const auto directory : shared_directories()) {
        if (!on_host(directory)) continue;
        std::error_code failed;
        const fs::path source = fs::canonical("/" + std::string(directory), failed);  // /usr can be a link
        if (failed) continue;
        wanted.push_back({.source = source, .target = "root/" + std::string(directory), .read_only = true});
    }
    return wanted;
}

}  // namespace jaild::kernel::freebsd::host_template
