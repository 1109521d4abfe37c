#include "core/kernel/freebsd/devfs_rulesets.h"

#include <fcntl.h>
#include <sys/param.h>
#include <sys/queue.h>
// after <sys/param.h> and <sys/queue.h>
#include <fs/devfs/devfs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/pure/device_rules.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"
#include "core/kernel/freebsd/system/sysctl.h"
#include "core/model/devices.h"

namespace jaild::kernel::freebsd {
namespace {

/// devfs_rule.c: how deep rulesets include others; deeper ones count for nothing. Without a word to be had: the least.
Result<int> depth_of_inclusion() {
    const auto depth = sysctl::number("vfs.devfs.rule_depth");
    if (!depth) return std::unexpected(depth.error());
    return depth->value_or(0);
}

enum class Ruleset { missing, open, hides };

bool hides_all(const devfs_rule& rule) {
    const bool hides = (rule.dr_iacts & DRA_BACTS) != 0 && (rule.dr_bacts & DRB_HIDE) != 0;
    if (!hides) return false;
    return rule.dr_icond == 0 || (rule.dr_icond == DRC_PATHPTRN && std::string_view(rule.dr_pathptrn) == "*");
}

Result<Ruleset> look(int dev, devfs_rsnum number, int depth) {
    auto found = Ruleset::missing;
    devfs_rid last = mkrid(static_cast<devfs_rid>(number), 0U);
    for (;;) {
        devfs_rule rule{};
        rule.dr_magic = DEVFS_MAGIC;
        rule.dr_id = last;
        if (::ioctl(dev, DEVFSIO_RGETNEXT, &rule) != 0) {
            if (errno == ENOENT) return found;
            return std::unexpected(Error::from_errno("DEVFSIO_RGETNEXT", errno, "/dev"));
        }
        found = Ruleset::open;
        last = rule.dr_id;
        if (hides_all(rule)) return Ruleset::hides;
        if ((rule.dr_iacts & DRA_INCSET) == 0 || depth == 0) continue;
        const auto included = look(dev, rule.dr_incset, depth - 1);
        if (!included || *included == Ruleset::hides) return included;
    }
}

Error missing(int ruleset) {
    return Error{.code = Errc::unsupported,
                 .op = "devfs",
                 .detail = "devfs ruleset " + std::to_string(ruleset) +
                           " is empty: with it a jail would see every device of the host",
                 .reason = "devfs_ruleset_missing",
                 .remedy = "service devfs onestart"};
}

UniqueFd open_dev() {
    return UniqueFd(::open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

devfs_rid rule_id(int ruleset, unsigned number) {
    return mkrid(static_cast<devfs_rid>(ruleset), number);
}

devfs_rule show(int ruleset, unsigned number, const std::string& path) {
    devfs_rule rule{};
    rule.dr_magic = DEVFS_MAGIC;
    rule.dr_id = rule_id(ruleset, number);
    rule.dr_icond = DRC_PATHPTRN;
    path.copy(rule.dr_pathptrn, sizeof rule.dr_pathptrn - 1);
    rule.dr_iacts = DRA_BACTS;
    rule.dr_bacts = DRB_UNHIDE;
    return rule;
}

devfs_rule include(unsigned number, devfs_rsnum ruleset) {
    devfs_rule rule{};
    rule.dr_magic = DEVFS_MAGIC;
    rule.dr_id = rule_id(kRulesetWithBpf, number);
    rule.dr_iacts = DRA_INCSET;
    rule.dr_incset = ruleset;
    return rule;
}

/// What /etc/defaults/devfs.rules says of vnet jails (of the four, the first hides all), and then every bpf device:
/// who opens one may get another number. Not an inclusion of that ruleset: what that includes would be too deep.
std::vector<devfs_rule> bpf_rules() {
    return {include(100, 1),
            include(200, 2),
            include(300, 3),
            include(400, 4),
            show(kRulesetWithBpf, 500, "pf"),
            show(kRulesetWithBpf, 600, "bpf*")};
}

bool same(const devfs_rule& one, const devfs_rule& other) {
    return one.dr_id == other.dr_id && one.dr_icond == other.dr_icond && one.dr_iacts == other.dr_iacts &&
           one.dr_bacts == other.dr_bacts && one.dr_incset == other.dr_incset && one.dr_uid == other.dr_uid &&
           one.dr_gid == other.dr_gid && one.dr_mode == other.dr_mode && one.dr_dswflags == other.dr_dswflags &&
           std::string_view(one.dr_pathptrn) == other.dr_pathptrn;
}

Result<std::vector<devfs_rule>> rules_of(int dev, int ruleset) {
    std::vector<devfs_rule> found;
    devfs_rule rule{};
    rule.dr_magic = DEVFS_MAGIC;
    rule.dr_id = rule_id(ruleset, 0);
    while (::ioctl(dev, DEVFSIO_RGETNEXT, &rule) == 0) found.push_back(rule);
    if (errno != ENOENT) return std::unexpected(Error::from_errno("DEVFSIO_RGETNEXT", errno, "/dev"));
    return found;
}

/// True when the ruleset is these rules now, none beside them.
Result<bool> make_rules(int dev, int ruleset, const std::vector<devfs_rule>& wanted) {
    for (auto rule : wanted) {
        // There already, or another thread or daemon was faster: what is there is looked at below.
        if (::ioctl(dev, DEVFSIO_RADD, &rule) == 0 || errno == EEXIST) continue;
        if (errno == ESRCH) return std::unexpected(missing(rule.dr_incset));
        return std::unexpected(Error::from_errno("DEVFSIO_RADD", errno, "/dev"));
    }
    const auto there = rules_of(dev, ruleset);
    if (!there) return std::unexpected(there.error());
    return std::ranges::equal(*there, wanted, same);
}

/// Nobody else has written there: it holds nothing, or some of these rules, as a crash leaves them.
Result<bool> is_free(int dev, int ruleset, const std::vector<devfs_rule>& wanted) {
    const auto there = rules_of(dev, ruleset);
    if (!there) return std::unexpected(there.error());
    return std::ranges::all_of(*there, [&](const devfs_rule& rule) {
        return std::ranges::any_of(wanted, [&](const devfs_rule& one) { return same(one, rule); });
    });
}

/// The rules of `base` themselves, not an inclusion of it: what that includes would be too deep.
std::vector<devfs_rule> with_devices(int ruleset, std::vector<devfs_rule> base, const std::vector<std::string>& paths) {
    constexpr unsigned kStep = 10;
    unsigned number = 0;
    for (auto& rule : base) rule.dr_id = rule_id(ruleset, number += kStep);
    for (const auto& path : paths) base.push_back(show(ruleset, number += kStep, path));
    return base;
}

}  // namespace

Result<int> make_device_ruleset(int base, const std::vector<std::string>& devices) {
    constexpr int kAttempts = 32;
    const auto dev = open_dev();
    if (!dev) return std::unexpected(Error::from_errno("open", errno, "/dev"));
    const auto rules = rules_of(dev.get(), base);
    if (!rules) return std::unexpected(rules.error());
    if (rules->empty()) return std::unexpected(missing(base));
    const auto paths = model::with_directories(devices);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const int number = device_ruleset(base, paths, attempt);
        const auto wanted = with_devices(number, *rules, paths);
        const auto free = is_free(dev.get(), number, wanted);
        if (!free) return std::unexpected(free.error());
        if (!*free) continue;
        const auto made = make_rules(dev.get(), number, wanted);
        if (!made) return std::unexpected(made.error());
        if (*made) return number;
    }
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "devfs",
                                 .detail = "the devfs rulesets from " + std::to_string(device_ruleset(base, paths, 0)) +
                                           " on have rules that are not jaild's",
                                 .reason = "devfs_ruleset_taken",
                                 .remedy = "devfs rule showsets; devfs rule -s NUMBER delset"});
}

Result<void> make_bpf_ruleset() {
    const auto dev = open_dev();
    if (!dev) return std::unexpected(Error::from_errno("open", errno, "/dev"));
    const auto made = make_rules(dev.get(), kRulesetWithBpf, bpf_rules());
    if (!made) return std::unexpected(made.error());
    if (*made) return {};
    const auto number = std::to_string(kRulesetWithBpf);
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "devfs",
                                 .detail = "devfs ruleset " + number + " has rules that are not jaild's",
                                 .reason = "devfs_ruleset_taken",
                                 .remedy = "devfs rule -s " + number +
                                           " delset, or give the jail a devfs_ruleset "
                                           "that shows bpf"});
}

Result<void> check_ruleset(int ruleset) {
    const auto dev = open_dev();
    if (!dev) return std::unexpected(Error::from_errno("open", errno, "/dev"));
    const auto depth = depth_of_inclusion();
    if (!depth) return std::unexpected(depth.error());
    const auto found = look(dev.get(), static_cast<devfs_rsnum>(ruleset), *depth);
    if (!found) return std::unexpected(found.error());
    if (*found == Ruleset::hides) return {};
    if (*found == Ruleset::missing) return std::unexpected(missing(ruleset));
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "devfs",
                                 .detail = "devfs ruleset " + std::to_string(ruleset) +
                                           " hides nothing first: with it a jail would see every device of the host",
                                 .reason = "devfs_ruleset_open",
                                 .remedy = "begin it with: add include $devfsrules_hide_all"});
}

}  // namespace jaild::kernel::freebsd
