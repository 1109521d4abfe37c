#include "core/model/limits.h"

#include <algorithm>
#include <array>

namespace jaild::model {
namespace {

/// Not in signal(3)'s order, and without SIGKILL's like that cannot be: all that actionnames of kern_rctl.c has.
constexpr std::array<std::string_view, 31> kSignals{
    "sighup",    "sigint",  "sigquit",  "sigill",  "sigtrap", "sigabrt", "sigemt",  "sigfpe",
    "sigkill",   "sigbus",  "sigsegv",  "sigsys",  "sigpipe", "sigalrm", "sigterm", "sigurg",
    "sigstop",   "sigtstp", "sigchld",  "sigttin", "sigttou", "sigio",   "sigxcpu", "sigxfsz",
    "sigvtalrm", "sigprof", "sigwinch", "siginfo", "sigusr1", "sigusr2", "sigthr"};

using enum LimitUnit;

constexpr std::array<LimitResource, 25> kResources{{
    {.name = "coredumpsize", .unit = bytes},
    {.name = "cputime", .unit = seconds, .deny = false, .needed = true, .in_millions = true},
    {.name = "datasize", .unit = bytes, .needed = true},
    {.name = "maxproc", .needed = true},
    {.name = "memorylocked", .unit = bytes},
    {.name = "memoryuse", .unit = bytes, .needed = true},
    {.name = "msgqqueued", .per_process = false},
    {.name = "msgqsize", .unit = bytes, .per_process = false},
    {.name = "nmsgq", .per_process = false},
    {.name = "nsem", .per_process = false},
    {.name = "nsemop"},
    {.name = "nshm", .per_process = false},
    {.name = "nthr", .needed = true},
    {.name = "openfiles", .needed = true},
    {.name = "pcpu", .unit = percent, .needed = true, .in_millions = true},
    {.name = "pseudoterminals", .per_process = false},
    {.name = "readbps", .unit = bytes, .deny = false, .throttle = true, .needed = true},
    {.name = "readiops", .deny = false, .throttle = true, .needed = true},
    {.name = "shmsize", .unit = bytes, .per_process = false},
    {.name = "stacksize", .unit = bytes, .needed = true},
    {.name = "swapuse", .unit = bytes, .per_process = false},
    {.name = "vmemoryuse", .unit = bytes, .needed = true},
    {.name = "wallclock", .unit = seconds, .deny = false, .needed = true, .in_millions = true},
    {.name = "writebps", .unit = bytes, .deny = false, .throttle = true, .needed = true},
    {.name = "writeiops", .deny = false, .throttle = true, .needed = true},
}};

}  // namespace

std::vector<LimitRule> rules_of(const Limits& limits) {
    std::vector<LimitRule> rules;
    for (const auto& [resource, limit] : limits) rules.push_back({.resource = resource, .limit = limit});
    return rules;
}

const LimitResource* limit_resource(std::string_view name) {
    const auto* const found = std::ranges::find(kResources, name, &LimitResource::name);
    return found == kResources.end() ? nullptr : found;
}

std::string limit_resource_names() {
    std::string names;
    for (const auto& resource : kResources) names.append(names.empty() ? "" : ", ").append(resource.name);
    return names;
}

std::string_view default_action(const LimitResource& resource) {
    if (resource.deny) return "deny";
    return resource.throttle ? "throttle" : "";
}

bool is_limit_signal(std::string_view action) {
    return std::ranges::find(kSignals, action) != kSignals.end();
}

}  // namespace jaild::model
