#include "api/v1/exec_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/v1/program_run.h"
#include "core/base/ascii.h"
#include "core/base/base64.h"
#include "core/model/jail_spec.h"

namespace jaild::api::v1 {
namespace {

using model::SpecLimits;
using nlohmann::json;

constexpr std::array<std::string_view, 9> kFields{"argv",           "env",      "user",    "directory",   "stdin",
                                                  "stdin_encoding", "terminal", "timeout", "output_limit"};
constexpr std::size_t kMaxUserBytes = 64;
constexpr std::int64_t kMaxTerminal = 1000;  // rows, columns

Error wrong_type(std::string field, std::string_view wanted) {
    return Error::invalid("wrong_type", std::move(field), fmt::format("must be {}", wanted));
}

/// RFC 6901 §3.
std::string escaped(std::string_view token) {
    std::string text;
    for (const char c : token) {
        if (c == '~')
            text += "~0";
        else if (c == '/')
            text += "~1";
        else
            text += c;
    }
    return text;
}

/// A script in an argument has line breaks, a key in the environment too; only what ends a string in the kernel may not
/// be there.
Result<std::string> read_text(const json& value, const std::string& field, std::size_t limit) {
    if (!value.is_string()) return std::unexpected(wrong_type(field, "a string"));
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > limit)
        return std::unexpected(Error::invalid("too_long", field, fmt::format("longer than {} bytes", limit)));
    if (text.find('\0') != std::string::npos)
        return std::unexpected(Error::invalid("invalid_value", field, "has a NUL character"));
    return text;
}

Result<std::vector<std::string>> read_argv(const json& value) {
    if (!value.is_array()) return std::unexpected(wrong_type("/argv", "an array of strings"));
    if (value.empty() || value.size() > SpecLimits::argv_elements)
        return std::unexpected(Error::invalid("invalid_value", "/argv",
                                              fmt::format("must have 1 to {} elements", SpecLimits::argv_elements)));
    std::vector<std::string> argv;
    std::size_t bytes = 0;
    for (const auto& element : value) {
        auto text = read_text(element, fmt::format("/argv/{}", argv.size()), SpecLimits::argv_bytes);
        if (!text) return std::unexpected(text.error());
        bytes += text->size() + 1;
        argv.push_back(*std::move(text));
    }
    if (bytes > SpecLimits::argv_bytes)
        return std::unexpected(
            Error::invalid("too_long", "/argv", fmt::format("longer than {} bytes in all", SpecLimits::argv_bytes)));
    if (argv.front().empty())
        return std::unexpected(Error::invalid("invalid_value", "/argv/0", "the program's name is empty"));
    return argv;
}

bool is_env_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && !is_digit(name.front()) &&
           std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_'; });
}

Result<std::map<std::string, std::string>> read_environment(const json& value) {
    if (!value.is_object()) return std::unexpected(wrong_type("/env", "an object of strings"));
    if (value.size() > SpecLimits::env_entries)
        return std::unexpected(
            Error::invalid("too_many", "/env", fmt::format("more than {} entries", SpecLimits::env_entries)));
    std::map<std::string, std::string> environment;
    for (const auto& [name, entry] : value.items()) {
        const auto field = "/env/" + escaped(name);
        if (!is_env_name(name))
            return std::unexpected(
                Error::invalid("invalid_value", field, in_quotes(name) + " is no name of an environment variable"));
        auto text = read_text(entry, field, SpecLimits::env_value_bytes);
        if (!text) return std::unexpected(text.error());
        environment.emplace(name, *std::move(text));
    }
    return environment;
}

/// `key` of the object at `path`.
Result<std::int64_t> read_number(const json& body, std::string_view key, std::int64_t otherwise, std::int64_t low,
                                 std::int64_t high, std::string_view path = "") {
    const auto found = body.find(key);
    if (found == body.end()) return otherwise;
    const auto field = fmt::format("{}/{}", path, key);
    if (!found->is_number_integer()) return std::unexpected(wrong_type(field, "a whole number"));
    const bool huge = found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(high);
    const auto number = huge ? high + 1 : found->get<std::int64_t>();
    if (number >= low && number <= high) return number;
    return std::unexpected(Error::invalid("invalid_value", field, fmt::format("must be {} to {}", low, high)));
}

Result<std::optional<std::string>> read_input(const json& body) {
    const auto encoding = body.find("stdin_encoding");
    const bool encoded = encoding != body.end() && *encoding == "base64";
    if (encoding != body.end() && !encoded && *encoding != "utf-8")
        return std::unexpected(Error::invalid("invalid_value", "/stdin_encoding", "must be \"utf-8\" or \"base64\""));
    const auto input = body.find("stdin");
    if (input == body.end()) return std::nullopt;
    if (!input->is_string()) return std::unexpected(wrong_type("/stdin", "a string"));
    const auto& text = input->get_ref<const std::string&>();
    if (!encoded) return text;
    auto bytes = base64_decode(text);
    if (!bytes) return std::unexpected(Error::invalid("invalid_value", "/stdin", "is not base64 (RFC 4648 §4)"));
    return bytes;
}

Result<void> check_fields(const json& body) {
    if (!body.is_object()) return std::unexpected(wrong_type("", "an object"));
    for (const auto& [key, value] : body.items())
        if (std::find(kFields.begin(), kFields.end(), key) == kFields.end())
            return std::unexpected(Error::invalid("unknown_field", "/" + escaped(key), "this field is not known here"));
    if (!body.contains("argv")) return std::unexpected(Error::invalid("missing_field", "/argv", "is needed"));
    return {};
}

/// User and directory, which core checks against the jail's own passwd and root.
Result<void> read_place(const json& body, kernel::Program& program) {
    if (const auto user = body.find("user"); user != body.end()) {
        auto text = read_text(*user, "/user", kMaxUserBytes);
        if (!text) return std::unexpected(text.error());
        if (text->empty()) return std::unexpected(Error::invalid("invalid_value", "/user", "is empty"));
        program.user = *std::move(text);
    }
    if (const auto directory = body.find("directory"); directory != body.end()) {
        auto text = read_text(*directory, "/directory", SpecLimits::path_bytes);
        if (!text) return std::unexpected(text.error());
        if (!text->starts_with('/'))
            return std::unexpected(
                Error::invalid("invalid_path", "/directory", in_quotes(*text) + " does not begin with \"/\""));
        program.directory = *std::move(text);
    }
    return {};
}

}  // namespace

Result<TerminalSize> parse_terminal_size(const json& value) {
    if (!value.is_object()) return std::unexpected(wrong_type("/terminal", "an object"));
    for (const auto& [key, one] : value.items())
        if (key != "rows" && key != "columns")
            return std::unexpected(
                Error::invalid("unknown_field", "/terminal/" + escaped(key), "this field is not known here"));
    TerminalSize size;
    const auto rows = read_number(value, "rows", size.rows, 1, kMaxTerminal, "/terminal");
    if (!rows) return std::unexpected(rows.error());
    const auto columns = read_number(value, "columns", size.columns, 1, kMaxTerminal, "/terminal");
    if (!columns) return std::unexpected(columns.error());
    size.rows = static_cast<unsigned short>(*rows);
    size.columns = static_cast<unsigned short>(*columns);
    return size;
}

Result<ExecOrder> parse_exec_order(const json& body, const Limits& limits) {
    if (auto known = check_fields(body); !known) return std::unexpected(known.error());
    ExecOrder order{.program{.argv = {}, .environment = {}, .user = {}, .directory = {}}};
    auto argv = read_argv(body["argv"]);
    if (!argv) return std::unexpected(argv.error());
    order.program.argv = *std::move(argv);
    if (body.contains("env")) {
        auto environment = read_environment(body["env"]);
        if (!environment) return std::unexpected(environment.error());
        order.program.environment = *std::move(environment);
    }
    if (auto place = read_place(body, order.program); !place) return std::unexpected(place.error());
    auto input = read_input(body);
    if (!input) return std::unexpected(input.error());
    order.input = *std::move(input);
    if (const auto found = body.find("terminal"); found != body.end()) {
        const auto terminal = parse_terminal_size(*found);
        if (!terminal) return std::unexpected(terminal.error());
        order.program.terminal = *terminal;
        order.input = typed(order.input.value_or(std::string()));
    }

    const auto in_seconds = [](Milliseconds time) {
        return std::chrono::duration_cast<std::chrono::seconds>(time).count();
    };
    auto timeout =
        read_number(body, "timeout", in_seconds(limits.exec_timeout), 1, in_seconds(limits.exec_timeout_max));
    if (!timeout) return std::unexpected(timeout.error());
    order.timeout = std::chrono::seconds(*timeout);
    auto output = read_number(body, "output_limit", static_cast<std::int64_t>(limits.exec_output_bytes), 0,
                              static_cast<std::int64_t>(limits.exec_output_max));
    if (!output) return std::unexpected(output.error());
    order.output_limit = static_cast<std::size_t>(*output);
    return order;
}

}  // namespace jaild::api::v1
