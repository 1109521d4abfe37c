#include "core/model/kill_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/model/fields.h"

namespace jaild::model {
namespace {

constexpr auto kSignalNumbers = std::to_array<std::pair<std::string_view, int>>(
    {{"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP},
     {"ABRT", SIGABRT}, {"BUS", SIGBUS},     {"FPE", SIGFPE},   {"KILL", SIGKILL}, {"USR1", SIGUSR1},
     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},   {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},
     {"CHLD", SIGCHLD}, {"CONT", SIGCONT},   {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},
     {"TTOU", SIGTTOU}, {"URG", SIGURG},     {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM},
     {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"SYS", SIGSYS}});
constexpr std::size_t kMaxSignalBytes = 16;

Result<std::int64_t> parse_pid(const nlohmann::json& value, const std::string& at) {
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "the number of a process"));
    // Whatever a kernel's pid_t may be, it is no more than this.
    constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{kLargest};
    if (!huge && value.get<std::int64_t>() > 0) return value.get<std::int64_t>();
    return std::unexpected(Error::invalid("invalid_value", at, "is no number of a process"));
}

}  // namespace

std::optional<int> signal_number(std::string_view name) {
    if (name.starts_with("SIG")) name.remove_prefix(3);
    const auto* const found = std::ranges::find(kSignalNumbers, name, &std::pair<std::string_view, int>::first);
    return found == kSignalNumbers.end() ? std::nullopt : std::optional(found->second);
}

Result<KillRequest> KillRequest::parse(const nlohmann::json& value) {
    if (!value.is_object()) return std::unexpected(wrong_type("", "an object"));
    KillRequest request;
    Fields fields(value, "");
    std::string name = "TERM";
    fields.text("signal", name, kMaxSignalBytes);
    fields.each("pids", kMaxPids, [&request](const nlohmann::json& one, const std::string& at) -> Result<void> {
        const auto pid = parse_pid(one, at);
        if (!pid) return std::unexpected(pid.error());
        request.pids.push_back(*pid);
        return {};
    });
    if (const auto number = signal_number(name))
        request.signal = *number;
    else
        fields.fail(
            Error::invalid("invalid_value", "/signal", "must be the name of a signal: \"TERM\", \"HUP\", \"USR1\" …"));
    // None are all: a list that came out empty must not mean that.
    if (fields.has("pids") && request.pids.empty())
        fields.fail(Error::invalid("invalid_value", "/pids", "is empty; leave it out for all processes of the jail"));
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return request;
}

}  // namespace jaild::model
