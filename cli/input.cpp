#include "cli/input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/table.h"

namespace jaild::cli {

Result<std::string> read_standard_input(std::size_t limit) {
    std::string input;
    std::array<char, 64 * 1024> piece{};
    while (const auto count = std::fread(piece.data(), 1, piece.size(), stdin)) {
        input.append(piece.data(), count);
        if (input.size() > limit)
            return std::unexpected(
                Error{.code = Errc::exhausted,
                      .op = "read",
                      .detail = "standard input is longer than " + std::to_string(limit / 1024) + " KiB",
                      .reason = "too_long"});
    }
    if (std::ferror(stdin) != 0) return std::unexpected(Error::from_errno("read", errno, "standard input"));
    return input;
}

Result<std::string> read_piece(int from) {
    std::string piece(std::size_t{256} * 1024, '\0');
    ssize_t count = -1;
    do {
        count = ::read(from, piece.data(), piece.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) return std::unexpected(Error::from_errno("read", errno, "what is sent"));
    piece.resize(static_cast<std::size_t>(count));
    return piece;
}

std::optional<nlohmann::json> pairs(const std::vector<std::string>& texts, std::string_view option) {
    auto object = nlohmann::json::object();
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            fmt::print(stderr, "jaildctl: {} \"{}\" is not KEY=VALUE\n", option, printable(text));
            return std::nullopt;
        }
        object[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return object;
}

}  // namespace jaild::cli
