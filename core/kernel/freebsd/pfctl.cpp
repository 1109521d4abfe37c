#include "core/kernel/freebsd/pfctl.h"

#include <poll.h>
#include <unistd.h>

#include <future>

#include "core/kernel/freebsd/pure/pf_rules.h"

namespace jaild::kernel::freebsd::pfctl {

namespace {

constexpr int kAttempts = 8;
constexpr int kFirstWait = 10;                  ///< milliseconds, doubled each time: about 1.3 s in all
constexpr std::size_t kOutputLimit = 64 << 20;  ///< the rules of all jails at once

Error failed(const Completed& completed, bool busy) {
    std::string said = completed.error_output;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return {.code = busy ? Errc::busy : Errc::kernel,
            .op = "pfctl",
            .detail = said.empty() ? "exit code " + std::to_string(completed.exit_code) : said,
            .reason = busy ? "pf_busy" : "pf_failed"};
}

}  // namespace

bool is_present() {
    return ::access("/dev/pf", F_OK) == 0;
}

Result<std::string> call(const Argv& arguments, const std::string& input) {
    Argv argv{"pfctl"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    for (int attempt = 1, wait = kFirstWait;; ++attempt, wait *= 2) {
        auto completed = run(argv, {.input = input, .output_limit = kOutputLimit});
        if (!completed) return std::unexpected(completed.error());
        if (completed->exit_code == 0) return std::move(completed->output);
        const bool busy = pf::is_busy(completed->error_output);
        if (!busy || attempt == kAttempts) return std::unexpected(failed(*completed, busy));
        ::poll(nullptr, 0, wait);
    }
}

Result<Shown> show(const std::string& anchor) {
    Argv nat{"-P", "-s", "nat"};
    Argv filter{"-P", "-s", "rules"};
    if (!anchor.empty()) {
        nat.insert(nat.begin(), {"-a", anchor});
        filter.insert(filter.begin(), {"-a", anchor});
    }
    // Side by side: most of what each takes is its own start.
    auto other = std::async(std::launch::async, [&nat] { return call(nat); });
    auto shown_filter = call(filter);
    auto shown_nat = other.get();
    if (!shown_nat) return std::unexpected(shown_nat.error());
    if (!shown_filter) return std::unexpected(shown_filter.error());
    return Shown{.nat = *std::move(shown_nat), .filter = *std::move(shown_filter)};
}

Result<void> load(const std::string& anchor, const std::string& text) {
    // pfctl(8)'s optimizer could merge or reorder rules, whose labels say their places.
    const auto checked = call({"-a", anchor, "-o", "none", "-n", "-f", "-"}, text);
    if (!checked) return std::unexpected(checked.error());
    const auto loaded = call({"-a", anchor, "-o", "none", "-f", "-"}, text);
    if (!loaded) return std::unexpected(loaded.error());
    return {};
}

Result<void> flush(const std::string& anchor) {
    for (const char* what : {"rules", "nat"}) {
        if (const auto flushed = call({"-a", anchor, "-F", what}); !flushed) return std::unexpected(flushed.error());
    }
    return {};
}

}  // namespace jaild::kernel::freebsd::pfctl
