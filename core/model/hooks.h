#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace jaild::model {

/// Programs that run on the host, as root, around a jail's life, in the order and by the names of jail(8): `exec.NAME`.
enum class Hook {
    prestart,   ///< before the jail is made; its root is mounted
    created,    ///< as soon as it is made; nothing runs in it, and it has no interface yet
    poststart,  ///< after exec.start and the start of the command
    prestop,    ///< before exec.stop
    poststop,   ///< once it is gone, before its root is unmounted
};
inline constexpr std::array kHooks{Hook::prestart, Hook::created, Hook::poststart, Hook::prestop, Hook::poststop};

std::string_view to_string(Hook hook);

/// One that fails fails the start; the others keep no jail from being stopped.
constexpr bool is_of_start(Hook hook) {
    return hook == Hook::prestart || hook == Hook::created || hook == Hook::poststart;
}

/// Argument lists, none of them empty.
using Hooks = std::map<Hook, std::vector<std::string>>;
using HookSet = std::set<Hook>;

}  // namespace jaild::model
