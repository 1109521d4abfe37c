#include "api/http/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "core/base/utf8.h"

namespace jaild::api {
namespace {

constexpr std::size_t kMaxDetail = 300;  // the library quotes what it read last

/// Leaves the library's parser at once; never leaves this file.
struct Refused {
    Error error;
};

Error malformed(std::string detail) {
    return {.code = Errc::invalid, .op = "parse_json", .detail = std::move(detail), .reason = "malformed_json"};
}

/// Watches a parse: how deep it is, and which keys the objects that are open have had.
class Guard {
public:
    explicit Guard(std::size_t depth) : depth_(depth) {}

    /// `level`: how many arrays and objects are open around the event, as the library reports it.
    void event(std::size_t level, nlohmann::json::parse_event_t event, const nlohmann::json& value) {
        using Event = nlohmann::json::parse_event_t;
        if (event == Event::object_start || event == Event::array_start) enter(level + 1);
        if (event == Event::key) see(level, value.get_ref<const std::string&>());
    }

private:
    void enter(std::size_t level) {
        if (level > depth_)
            throw Refused{{.code = Errc::invalid,
                           .op = "parse_json",
                           .detail = fmt::format("arrays and objects nest deeper than {}", depth_),
                           .reason = "json_too_deep"}};
        keys_.resize(level);
        keys_.back().clear();
    }

    void see(std::size_t level, const std::string& key) {
        keys_.resize(level);
        if (keys_.back().insert(key).second) return;
        throw Refused{{.code = Errc::invalid,
                       .op = "parse_json",
                       .detail = fmt::format("the key \"{}\" is there twice in one object", key.substr(0, 100)),
                       .reason = "duplicate_key"}};
    }

    std::size_t depth_;
    std::vector<std::set<std::string>> keys_;
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, std::size_t depth) {
    if (!is_utf8(text))
        return std::unexpected(Error{
            .code = Errc::invalid, .op = "parse_json", .detail = "the body is not UTF-8", .reason = "invalid_utf8"});
    Guard guard(depth);
    const auto watch = [&guard](int level, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        guard.event(static_cast<std::size_t>(level), event, value);
        return true;
    };
    try {
        return nlohmann::json::parse(text.begin(), text.end(), watch);
    } catch (Refused& refused) {
        return std::unexpected(std::move(refused.error));
    } catch (const nlohmann::json::exception& error) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: …": the part for people follows "] ".
        const std::string_view what = error.what();
        const auto end = what.find("] ");
        const auto detail = end == std::string_view::npos ? what : what.substr(end + 2);
        return std::unexpected(malformed(std::string(detail.substr(0, kMaxDetail))));
    }
}

std::string dump(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace jaild::api
