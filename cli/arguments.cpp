#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace jaild::cli {
namespace {

using Arguments = std::vector<std::string>;

/// True for "--host" and "-o", whose value is the next word; false for flags, "--host=x" and "-ojson".
bool takes_next(const CLI::App& app, const std::string& option) {
    const bool is_long = option.starts_with("--");
    if (is_long ? option.find('=') != std::string::npos : option.size() > 2) return false;
    const auto* known = app.get_option_no_throw(option);
    // A flag has a size too, of one value that it does not expect.
    return known != nullptr && known->get_expected_max() > 0;
}

/// The position of the first word from `begin` on that is neither an option nor the value of one; nothing at "--".
std::optional<std::size_t> first_word(const CLI::App& app, const CLI::App* sub, const Arguments& arguments,
                                      std::size_t begin) {
    for (auto i = begin; i < arguments.size(); ++i) {
        const auto& word = arguments[i];
        if (word == "--") return std::nullopt;
        if (!word.starts_with('-') || word == "-") return i;
        if (takes_next(app, word) || (sub != nullptr && takes_next(*sub, word))) ++i;
    }
    return std::nullopt;
}

/// Levenshtein's: how many characters must be added, dropped or replaced.
std::size_t distance(const std::string& from, const std::string& to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        auto diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < to.size(); ++j) {
            const auto replaced = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

Arguments mark_command(const CLI::App& app, Arguments arguments) {
    const auto command = first_word(app, nullptr, arguments, 0);
    if (!command || (arguments[*command] != "exec" && arguments[*command] != "run")) return arguments;
    const auto* sub = app.get_subcommand(arguments[*command]);
    auto before = *command;
    if (arguments[*command] == "exec") {
        const auto name = first_word(app, sub, arguments, *command + 1);
        if (!name) return arguments;
        before = *name;
    }
    if (const auto program = first_word(app, sub, arguments, before + 1))
        arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(*program), "--");
    return arguments;
}

std::string unknown_command(const CLI::App& app, const Arguments& arguments) {
    const auto position = first_word(app, nullptr, arguments, 0);
    if (!position) return {};
    const auto& word = arguments[*position];
    std::string nearest;
    std::size_t smallest = 3;  // further away is another word
    for (const auto* sub : app.get_subcommands(nullptr)) {
        const auto& name = sub->get_name();
        if (name == word) return {};
        const auto far = distance(word, name);
        if (far >= smallest || far >= name.size()) continue;
        smallest = far;
        nearest = name;
    }
    if (nearest.empty()) return fmt::format("there is no command \"{}\"; jaildctl --help lists them", word);
    return fmt::format("there is no command \"{}\"; is it \"{}\"?", word, nearest);
}

}  // namespace jaild::cli
