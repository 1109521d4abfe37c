#include "core/upgrade/merge_records.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

namespace jaild::upgrade {
namespace {

constexpr char kSeparator = ':';
constexpr std::size_t kNumber = 2;  ///< of the field with a user's or group's number

using Fields = std::vector<std::string_view>;

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0;;) {
        const auto end = text.find(separator, at);
        parts.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
        if (end == std::string_view::npos) return parts;
        at = end + 1;
    }
}

/// A comment or an empty line stands for itself.
std::string_view key_of(std::string_view line) {
    if (line.empty() || line.front() == '#') return line;
    return line.substr(0, line.find(kSeparator));
}

/// The number that a record claims for its name; empty: none.
std::string_view number_of(std::string_view line) {
    if (line.empty() || line.front() == '#') return {};
    const auto fields = split(line, kSeparator);
    return fields.size() > kNumber ? fields[kNumber] : std::string_view();
}

/// Lines by their keys, and in their order.
struct Records {
    std::vector<std::string_view> lines{};
    std::map<std::string_view, std::string_view> by_key{};

    /// Nothing when two have the same key.
    static std::optional<Records> read(std::string_view text) {
        Records records;
        if (text.ends_with('\n')) text.remove_suffix(1);
        if (text.empty()) return records;
        for (const auto line : split(text, '\n')) {
            // Empty lines may repeat, and say nothing.
            if (line.empty()) continue;
            if (!records.by_key.emplace(key_of(line), line).second) return std::nullopt;
            records.lines.push_back(line);
        }
        return records;
    }
    [[nodiscard]] std::optional<std::string_view> find(std::string_view key) const {
        const auto found = by_key.find(key);
        return found == by_key.end() ? std::nullopt : std::optional(found->second);
    }
};

/// One record that all three have.
std::optional<std::string> merge_record(std::string_view base, std::string_view ours, std::string_view theirs) {
    if (ours == base || ours == theirs) return std::string(theirs);
    if (theirs == base) return std::string(ours);
    const std::array all{split(base, kSeparator), split(ours, kSeparator), split(theirs, kSeparator)};
    if (all[0].size() != all[1].size() || all[0].size() != all[2].size()) return std::nullopt;
    std::string line;
    for (std::size_t i = 0; i < all[0].size(); ++i) {
        const auto [was, mine, new_one] = std::array{all[0][i], all[1][i], all[2][i]};
        if (mine != was && new_one != was && mine != new_one) return std::nullopt;
        if (i > 0) line += kSeparator;
        line += mine == was ? new_one : mine;
    }
    return line;
}

class Merge {
public:
    Merge(Records base, Records ours, Records theirs)
        : base_(std::move(base)), ours_(std::move(ours)), theirs_(std::move(theirs)) {}

    std::optional<std::string> run() {
        if (!keep_ours() || !add_theirs()) return std::nullopt;
        std::string text;
        for (const auto& [key, line] : merged_) text += line + "\n";
        return text;
    }

private:
    /// The records that the jail has, each as both sides want it.
    bool keep_ours() {
        for (const auto line : ours_.lines) {
            const auto key = key_of(line);
            const auto was = base_.find(key);
            const auto new_one = theirs_.find(key);
            std::optional<std::string> merged;
            if (was && new_one) {
                merged = merge_record(*was, line, *new_one);
            } else if (was) {
                if (line == *was) continue;  // the template removed it
            } else if (!new_one || *new_one == line) {
                merged = std::string(line);
            }
            if (!merged) return false;
            merged_.emplace_back(key, *std::move(merged));
        }
        return true;
    }

    /// Those that only the template has now: new ones, but what the jail removed stays removed.
    bool add_theirs() {
        std::string_view before;
        for (const auto line : theirs_.lines) {
            const auto key = key_of(line);
            const auto follows = std::exchange(before, key);
            if (ours_.find(key)) continue;
            const auto was = base_.find(key);
            if (was && *was == line) continue;
            if (was || number_is_taken(line)) return false;
            auto place = std::ranges::find(merged_, follows, &Merged::first);
            if (place != merged_.end()) ++place;
            if (follows.empty()) place = merged_.begin();
            merged_.emplace(place, key, std::string(line));
        }
        return true;
    }

    /// By a record that the jail added: the template's own may share one, as root and toor do.
    [[nodiscard]] bool number_is_taken(std::string_view line) const {
        const auto number = number_of(line);
        return !number.empty() && std::ranges::any_of(ours_.lines, [&](std::string_view one) {
            return number_of(one) == number && !base_.find(key_of(one));
        });
    }

    using Merged = std::pair<std::string_view, std::string>;
    Records base_;
    Records ours_;
    Records theirs_;
    std::vector<Merged> merged_{};
};

}  // namespace

bool is_record_file(std::string_view path) {
    constexpr std::array<std::string_view, 5> known{"group", "gshadow", "master.passwd", "passwd", "shadow"};
    return std::ranges::find(known, path) != known.end();
}

std::optional<std::string> merge_records(std::string_view base, std::string_view ours, std::string_view theirs) {
    auto old = Records::read(base);
    auto mine = Records::read(ours);
    auto latest = Records::read(theirs);
    if (!old || !mine || !latest) return std::nullopt;
    return Merge(*std::move(old), *std::move(mine), *std::move(latest)).run();
}

}  // namespace jaild::upgrade
