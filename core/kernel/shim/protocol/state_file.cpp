#include "core/kernel/shim/protocol/state_file.h"

#include <charconv>

#include "core/base/files.h"

namespace jaild::shim {
namespace {

constexpr const char* kStateFile = "state";
constexpr std::string_view kHeader = "jaild-shim-state 1";
constexpr std::size_t kLimit = 16 * 1024;

void line(std::string& out, std::string_view key, std::int64_t value) {
    out.append(key).append(" ").append(std::to_string(value)).append("\n");
}

std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    const auto taken = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return taken;
}

bool read_number(std::string_view text, std::int64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool read_field(ShimState& state, std::string_view key, std::string_view value) {
    std::int64_t number = 0;
    const auto exit = [&]() -> ExitRecord& { return state.last_exit ? *state.last_exit : state.last_exit.emplace(); };
    if (key == "exit_reason") {
        exit().reason = value;
        return true;
    }
    if (key == "jail_boot") {
        state.jail_boot = value;
        return true;
    }
    const bool known = key == "command" || key == "command_pid" || key == "command_start" || key == "start_done" ||
                       key == "hooks_done" || key == "exit_code" || key == "exit_signal" || key == "exit_at" ||
                       key == "exit_ran" || key == "jail_pid" || key == "jail_start";
    if (!known) return true;
    if (!read_number(value, number)) return false;
    if (key == "command") {
        if (number < 0 || number > static_cast<std::int64_t>(CommandState::exited)) return false;
        state.command = static_cast<CommandState>(number);
    }
    if (key == "command_pid") state.command_pid = number;
    if (key == "command_start") state.command_start = number;
    if (key == "start_done") state.start_done = number != 0;
    if (key == "hooks_done") state.hooks_done = static_cast<std::uint32_t>(number);
    if (key == "exit_code") exit().exit_code = number;
    if (key == "exit_signal") exit().signal = number;
    if (key == "exit_at") exit().at_ms = number;
    if (key == "exit_ran") exit().ran_ms = number;
    if (key == "jail_pid") state.jail_pid = number;
    if (key == "jail_start") state.jail_start = number;
    return true;
}

}  // namespace

std::string format_state(const ShimState& state) {
    std::string out(kHeader);
    out += '\n';
    line(out, "command", static_cast<std::int64_t>(state.command));
    line(out, "command_pid", state.command_pid);
    line(out, "command_start", state.command_start);
    line(out, "start_done", state.start_done ? 1 : 0);
    if (state.hooks_done != 0) line(out, "hooks_done", state.hooks_done);
    if (state.last_exit) {
        line(out, "exit_code", state.last_exit->exit_code);
        line(out, "exit_signal", state.last_exit->signal);
        line(out, "exit_at", state.last_exit->at_ms);
        line(out, "exit_ran", state.last_exit->ran_ms);
        out.append("exit_reason ").append(state.last_exit->reason).append("\n");
    }
    line(out, "jail_pid", state.jail_pid);
    line(out, "jail_start", state.jail_start);
    if (!state.jail_boot.empty()) out.append("jail_boot ").append(state.jail_boot).append("\n");
    return out;
}

std::optional<ShimState> parse_state(std::string_view text) {
    if (take_line(text) != kHeader) return std::nullopt;
    ShimState state;
    while (!text.empty()) {
        const auto one = take_line(text);
        const auto space = one.find(' ');
        if (space == std::string_view::npos) return std::nullopt;
        if (!read_field(state, one.substr(0, space), one.substr(space + 1))) return std::nullopt;
    }
    return state;
}

Result<ShimState> read_state(int directory) {
    const auto text = files::read(directory, kStateFile, kLimit);
    if (!text) return std::unexpected(text.error());
    const auto state = parse_state(*text);
    if (!state)
        return std::unexpected(
            Error{.code = Errc::corrupt, .op = "read_state", .detail = "the shim's state file is no such file"});
    return *state;
}

Result<void> write_state(int directory, const ShimState& state) {
    return files::write_atomic(directory, kStateFile, format_state(state), 0600);
}

}  // namespace jaild::shim
