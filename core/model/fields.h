#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

/// Strict reading of one JSON object, for core/model only: what nobody asked for is refused.
namespace jaild::model {

/// `parent` and one more reference token, escaped as RFC 6901 §3 says.
std::string pointer(std::string_view parent, std::string_view token);
std::string pointer(std::string_view parent, std::size_t index);

/// "invalid_value" for a control character (C0, DEL or C1), "too_long" beyond `limit` bytes.
Result<void> check_text(std::string_view text, std::size_t limit, const std::string& at);

/// A word that is one of a few.
inline constexpr std::size_t kWordBytes = 64;

Error wrong_type(const std::string& at, std::string_view wanted);
Error too_many(const std::string& at, std::size_t limit);

Result<std::string> read_text(const nlohmann::json& value, const std::string& at, std::size_t limit);
/// An argument or a value of the environment: a script has line breaks and tabs. Only what ends a string in the kernel
/// (NUL) is refused.
Result<std::string> read_program_text(const nlohmann::json& value, const std::string& at, std::size_t limit);

/// The fields of one object. Each read leaves its target alone when the field is absent; the first Error is kept, and
/// nothing is read after it. done() also refuses every field that was not asked for.
class Fields {
public:
    /// `value` outlives this object.
    Fields(const nlohmann::json& value, std::string at);

    [[nodiscard]] bool has(std::string_view key);
    void boolean(std::string_view key, bool& target);
    void text(std::string_view key, std::string& target, std::size_t limit);
    void program_text(std::string_view key, std::string& target, std::size_t limit);
    /// Anything else: `parse` gets the value and its pointer.
    void read(std::string_view key,
              const std::function<Result<void>(const nlohmann::json&, const std::string&)>& parse);
    /// An array; `parse` gets each element. "too_many" beyond `limit`.
    void each(std::string_view key, std::size_t limit,
              const std::function<Result<void>(const nlohmann::json&, const std::string&)>& parse);
    /// An object whose keys are the user's own; `parse` gets each key, value and pointer.
    void entries(
        std::string_view key, std::size_t limit,
        const std::function<Result<void>(const std::string&, const nlohmann::json&, const std::string&)>& parse);
    /// "missing_field".
    void require(std::string_view key);
    void fail(Error error);
    Result<void> done();

    [[nodiscard]] std::string at(std::string_view key) const { return pointer(at_, key); }

private:
    const nlohmann::json* find(std::string_view key);

    const nlohmann::json& value_;
    std::string at_;
    std::vector<std::string> known_;
    std::optional<Error> error_;
};

}  // namespace jaild::model
