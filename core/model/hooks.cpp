#include "core/model/hooks.h"

#include <utility>

namespace jaild::model {

std::string_view to_string(Hook hook) {
    switch (hook) {
        case Hook::prestart:
            return "prestart";
        case Hook::created:
            return "created";
        case Hook::poststart:
            return "poststart";
        case Hook::prestop:
            return "prestop";
        case Hook::poststop:
            return "poststop";
    }
    std::unreachable();
}

}  // namespace jaild::model
