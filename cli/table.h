#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace jaild::cli {

/// Columns for people: aligned by the widest cell (UTF-8 counted by code points), two spaces between.
class Table {
public:
    explicit Table(std::vector<std::string> header);
    void add(std::vector<std::string> row);
    [[nodiscard]] std::string to_string() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

/// "512K", "17.3M", "1.20G" of a number of bytes; "-" for what is none.
std::string size_text(const nlohmann::json& bytes);

/// Without the bytes that would move the cursor or change the terminal: they come from inside jails.
std::string printable(const std::string& text);

/// "5s", "3m", "2h", "9d" from an RFC 3339 time to now; empty for one that is no time.
std::string age(const std::string& since);

}  // namespace jaild::cli
