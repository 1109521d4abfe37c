#include "core/model/leftover.h"

#include <nlohmann/json.hpp>

namespace jaild::model {

std::string_view to_string(LeftoverKind kind) {
    switch (kind) {
        case LeftoverKind::jail:
            return "jail";
        case LeftoverKind::process:
            return "process";
        case LeftoverKind::interface:
            return "interface";
        case LeftoverKind::address:
            return "address";
        case LeftoverKind::mount:
            return "mount";
        case LeftoverKind::limits:
            return "limits";
        case LeftoverKind::rules:
            return "rules";
        case LeftoverKind::bridge:
            return "bridge";
        case LeftoverKind::directory:
            return "directory";
        case LeftoverKind::snapshot:
            return "snapshot";
        case LeftoverKind::template_tree:
            break;
    }
    return "template";
}

nlohmann::json to_json(const Leftover& leftover) {
    nlohmann::json shown{{"kind", to_string(leftover.kind)},
                         {"object", leftover.object},
                         {"owner", leftover.owner},
                         {"detail", leftover.detail},
                         {"kept", leftover.kept}};
    if (!leftover.removed) return shown;
    shown["removed"] = *leftover.removed;
    shown["problem"] = leftover.problem.empty() ? nlohmann::json() : nlohmann::json(leftover.problem);
    return shown;
}

}  // namespace jaild::model
