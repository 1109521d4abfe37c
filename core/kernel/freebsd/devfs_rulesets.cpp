#include "core/kernel/freebsd/devfs_rulesets.h"

#include <fcntl.h>
#include <sys/param.h>
#include <sys/queue.h>
// after <sys/param.h> and <sys/queue.h>
#include <fs/devfs/devfs.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string_view>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/system/sysctl.h"

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

}  // namespace

Result<void> check_ruleset(int ruleset) {
    const UniqueFd dev(::open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dev) return std::unexpected(Error::from_errno("open", errno, "/dev"));
    const auto depth = depth_of_inclusion();
    if (!depth) return std::unexpected(depth.error());
    const auto found = look(dev.get(), static_cast<devfs_rsnum>(ruleset), *depth);
    if (!found) return std::unexpected(found.error());
    if (*found == Ruleset::hides) return {};
    const bool missing = *found == Ruleset::missing;
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "devfs",
              .detail = "devfs ruleset " + std::to_string(ruleset) + (missing ? " is empty" : " hides nothing first") +
                        ": with it a jail would see every device of the host",
              .reason = missing ? "devfs_ruleset_missing" : "devfs_ruleset_open",
              .remedy = missing ? "service devfs onestart" : "begin it with: add include $devfsrules_hide_all"});
}

}  // namespace jaild::kernel::freebsd
