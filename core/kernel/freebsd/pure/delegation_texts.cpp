#include "core/kernel/freebsd/pure/delegation_texts.h"

#include <algorithm>
#include <array>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/pure/zfs_rows.h"
#include "core/model/datasets.h"

namespace jaild::kernel::freebsd::zfs {
namespace {

/// hier(7): what bsdinstall(8) and people make file systems of, and no host is whole without.
constexpr std::array kOfTheHost{
    "/",     "/bin",       "/boot",      "/dev",     "/etc",      "/home",     "/lib",       "/libexec",  "/root",
    "/sbin", "/tmp",       "/usr",       "/usr/bin", "/usr/home", "/usr/lib",  "/usr/local", "/usr/sbin", "/usr/share",
    "/var",  "/var/audit", "/var/crash", "/var/db",  "/var/log",  "/var/mail", "/var/run",   "/var/tmp"};

bool is_beneath(std::string_view path, std::string_view directory) {
    return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

Error refused(std::string detail, std::string remedy) {
    auto error = Error::invalid("dataset_refused", {}, std::move(detail));
    error.op = "zfs";
    error.remedy = std::move(remedy);
    return error;
}

constexpr const char* kMakeAnother = "give the jail a dataset that was made for it: zfs create";

Result<void> check_one(const Filesystem& one, const Filesystem& top) {
    if (&one != &top && one.jailed_here && !one.jailed)
        return std::unexpected(refused(one.name + " has jailed=off: it would stay the host's, in the hands of the jail",
                                       "zfs inherit jailed " + one.name));
    if (one.jailed) return {};
    if (!one.owner.empty()) return std::unexpected(refused(one.name + " is jaild's own", kMakeAnother));
    if (one.mountpoint == "/")
        return std::unexpected(refused(one.name + " is a root file system of this host", kMakeAnother));
    return {};
}

bool holds_host(const std::string& point, const std::string& state) {
    const bool in_jail = is_beneath(point, state + "/jails");
    return std::ranges::find(kOfTheHost, point) != kOfTheHost.end() || point == state || is_beneath(state, point) ||
           (is_beneath(point, state) && !in_jail);
}

}  // namespace

Argv get_tree(const std::string& dataset) {
    return {"zfs",
            "get",
            "-Hp",
            "-r",
            "-t",
            "filesystem",
            "-o",
            "name,property,value,source",
            "jailed,mountpoint," + std::string(kOwnerProperty),
            dataset};
}

Result<std::vector<Filesystem>> tree_of(std::string_view output) {
    const auto rows = rows_of(output);
    if (!rows) return std::unexpected(rows.error());
    std::vector<Filesystem> tree;
    for (const auto& [name, property, value, source] : *rows) {
        if (tree.empty() || tree.back().name != name)
            tree.push_back({.name = std::string(name), .mountpoint = {}, .owner = {}});
        auto& one = tree.back();
        if (property == "jailed") {
            one.jailed = value != "off";
            one.jailed_here = source == "local";
        }
        if (property == "mountpoint") one.mountpoint = value;
        if (property == kOwnerProperty && source != "-") one.owner = value;
    }
    if (!tree.empty()) return tree;
    return std::unexpected(Error{.code = Errc::corrupt, .op = "zfs", .detail = "zfs get answered with nothing"});
}

Result<void> check_tree(const std::vector<Filesystem>& tree, const std::vector<MountedDataset>& mounted,
                        const Kept& kept) {
    const auto& top = tree.front();
    if (!kept.parent.empty() && model::overlap(top.name, kept.parent))
        return std::unexpected(
            refused(top.name + " is, holds or lies in " + kept.parent + ", where jaild keeps the roots of jails",
                    kMakeAnother));
    for (const auto& one : tree)
        if (auto good = check_one(one, top); !good) return good;
    for (const auto& one : mounted)
        if (model::is_within(one.dataset, top.name) && holds_host(one.point, kept.state))
            return std::unexpected(refused(
                one.dataset + " is mounted at " + one.point + ", which this host cannot do without", kMakeAnother));
    return {};
}

std::string mounted_outside(const std::string& dataset, const std::vector<MountedDataset>& mounted,
                            const std::string& root) {
    for (const auto& one : mounted)
        if (model::is_within(one.dataset, dataset) && !is_beneath(one.point, root)) return one.point;
    return {};
}

Argv set_jailed(const std::string& dataset) {
    return set(dataset, "jailed", "on");
}

Argv jail(int jid, const std::string& dataset) {
    return {"zfs", "jail", std::to_string(jid), dataset};
}

Argv unjail(int jid, const std::string& dataset) {
    return {"zfs", "unjail", std::to_string(jid), dataset};
}

}  // namespace jaild::kernel::freebsd::zfs
