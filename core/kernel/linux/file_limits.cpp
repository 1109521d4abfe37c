#include "core/kernel/linux/file_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/base/files.h"
#include "core/kernel/linux/pure/cgroup_texts.h"
#include "core/kernel/linux/pure/process_texts.h"

namespace jaild::kernel::file_limits {
namespace {

namespace fs = std::filesystem;

// Soft, because select(2) ends there; what needs more raises it itself (systemd's reasoning, and its numbers).
constexpr rlim_t kSoft = 1024;
constexpr rlim_t kHard = 524'288;
/// With fewer the OCI runtime does not get to the jail's first program.
constexpr std::int64_t kLeast = 16;
constexpr std::size_t kProcFile = 64 * 1024;
constexpr int kPasses = 50;

fs::path of_process(std::int64_t pid) {
    return fs::path("/proc") / std::to_string(pid);
}

/// A pid that was of the group may be somebody else's by now.
bool is_member(std::int64_t pid, const std::string& group) {
    const auto text = files::read(of_process(pid) / "cgroup", kProcFile);
    return text && proc::is_in_group(*text, group);
}

/// True when that changed something.
Result<bool> set_one(std::int64_t pid, const std::string& group, const rlimit& limit) {
    const auto there = of(pid);
    const bool as_wanted = !there || (there->rlim_max == limit.rlim_max && there->rlim_cur <= limit.rlim_cur);
    if (as_wanted || !is_member(pid, group)) return false;
    if (::prlimit(static_cast<pid_t>(pid), RLIMIT_NOFILE, &limit, nullptr) == 0) return true;
    if (errno == ESRCH) return false;
    auto error = Error::from_errno("prlimit", errno, fmt::format("process {} of the jail", pid));
    if (error.sys == EPERM) error.remedy = "jaild may raise nothing here (CAP_SYS_RESOURCE): restart the jail";
    return std::unexpected(std::move(error));
}

/// All but process 1, until there is nobody left to be told.
Result<void> set_others(const std::string& group, const std::function<Result<std::vector<std::int64_t>>()>& members,
                        const rlimit& limit) {
    for (int pass = 0; pass < kPasses; ++pass) {
        const auto pids = members();
        if (!pids) return std::unexpected(pids.error());
        const auto first = process_1(*pids);
        bool changed = false;
        for (const auto pid : *pids) {
            if (pid == first) continue;
            const auto set = set_one(pid, group, limit);
            if (!set) return std::unexpected(set.error());
            changed = changed || *set;
        }
        if (!changed) return {};
    }
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "prlimit",
                                 .detail = "processes of the jail come faster than they can be limited",
                                 .reason = "processes_multiply",
                                 .remedy = "limit maxproc, or restart the jail"});
}

}  // namespace

rlimit usual() {
    rlimit own{};
    const rlim_t most = ::getrlimit(RLIMIT_NOFILE, &own) == 0 ? own.rlim_max : kSoft;
    const rlim_t hard = std::min(kHard, most);
    return {.rlim_cur = std::min(kSoft, hard), .rlim_max = hard};
}

rlimit wanted(const model::Limits& limits) {
    const auto asked = limits.find(std::string(kResource));
    if (asked == limits.end()) return usual();
    const auto amount = static_cast<rlim_t>(asked->second.amount);
    return {.rlim_cur = amount, .rlim_max = amount};
}

std::optional<rlimit> of(std::int64_t pid) {
    rlimit there{};
    if (pid <= 0) return std::nullopt;  // that would be ours
    if (::prlimit(static_cast<pid_t>(pid), RLIMIT_NOFILE, nullptr, &there) != 0) return std::nullopt;
    return there;
}

std::optional<model::LimitRule> rule_of(const rlimit& there, const rlimit& usual, const model::Limits& asked) {
    // Only what was asked for has no room between the two.
    if (there.rlim_cur != there.rlim_max) return std::nullopt;
    const auto found = asked.find(std::string(kResource));
    const auto amount = static_cast<std::int64_t>(there.rlim_max);
    if (found != asked.end() && found->second.amount == amount) return model::LimitRule{found->first, found->second};
    // Or it has been raised: by a program, or by Go's start in a runc before 1.2, which is not always undone.
    if (there.rlim_max == usual.rlim_max) return std::nullopt;
    return model::LimitRule{.resource = std::string(kResource),
                            .limit = {.amount = amount, .action = "deny", .per = "process"}};
}

Result<void> check(const model::Limit& limit) {
    const auto refused = [](std::string_view field, std::string detail, std::string remedy) {
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "limits",
                                     .detail = std::move(detail),
                                     .reason = "limits_unsupported",
                                     .field = fmt::format("/{}/{}", kResource, field),
                                     .remedy = std::move(remedy)});
    };
    if (limit.action != "deny")
        return refused("action", "Linux refuses to open more, and does nothing else",
                       R"(leave "action" out, or say "deny")");
    if (limit.per != "process")
        return refused("per", "Linux counts the open files of each process", R"(say "per": "process")");
    const auto text = files::read("/proc/sys/fs/nr_open", kProcFile);
    const auto most = text ? cgroups::number_in(*text) : std::nullopt;
    if (!most) return std::unexpected(text ? Error::from_errno("read", EINVAL, "/proc/sys/fs/nr_open") : text.error());
    if (limit.amount < kLeast || static_cast<std::uint64_t>(limit.amount) > *most)
        return std::unexpected(Error::invalid("invalid_value", fmt::format("/{}/amount", kResource),
                                              fmt::format("on this host from {} to {}", kLeast, *most)));
    return {};
}

std::optional<std::int64_t> process_1(const std::vector<std::int64_t>& members) {
    const auto is_first = [](std::int64_t pid) {
        const auto text = files::read(of_process(pid) / "status", kProcFile);
        const auto status = text ? proc::parse_status(*text) : std::nullopt;
        return status && status->nested && status->inner_pid == 1;
    };
    const auto found = std::ranges::find_if(members, is_first);
    return found == members.end() ? std::nullopt : std::optional(*found);
}

Result<void> set(const std::string& group, const std::function<Result<std::vector<std::int64_t>>()>& members,
                 const rlimit& limit) {
    if (auto done = set_others(group, members, limit); !done) return done;
    const auto pids = members();
    if (!pids) return std::unexpected(pids.error());
    if (const auto first = process_1(*pids))
        if (auto done = set_one(*first, group, limit); !done) return std::unexpected(done.error());
    // Those that were attached meanwhile have what it had.
    return set_others(group, members, limit);
}

}  // namespace jaild::kernel::file_limits
