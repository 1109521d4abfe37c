#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace jaild::model {

enum class LeftoverKind {
    jail,
    process,
    interface,
    address,
    mount,
    limits,
    rules,
    bridge,
    directory,
    snapshot,
    template_tree,
};
std::string_view to_string(LeftoverKind kind);

/// Something that bears this installation's mark, and of whose owner the database has no row.
struct Leftover {
    LeftoverKind kind = LeftoverKind::jail;
    std::string object;    ///< as the system calls it: "jk3f9a12a"; files from the state directory on: "jails/12"
    std::string owner;     ///< "jail 12", "network 3", "template 5"
    std::string detail{};  ///< for people: "runs, pid 4711"; may be empty
    /// It lives, or may hold data: it is told of, and removed only when an administrator asks for it.
    bool kept = false;
    std::optional<bool> removed{};  ///< nothing: nobody tried
    std::string problem{};          ///< why it is there still

    [[nodiscard]] bool is_same(const Leftover& other) const { return kind == other.kind && object == other.object; }
    bool operator==(const Leftover&) const = default;
};
nlohmann::json to_json(const Leftover& leftover);

}  // namespace jaild::model
