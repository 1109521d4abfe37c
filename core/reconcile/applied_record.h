#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model/jail.h"
#include "core/reconcile/restarts.h"

namespace jaild::reconcile {

/// What one incarnation was made with: the text of kernel::Applied::spec. Only this folder writes or reads it.
struct MadeWith {
    model::JailSpec spec;                              ///< secrets kept: the file is 0600
    std::vector<model::AssignedInterface> interfaces;  ///< with addresses that the store may have given away since
    /// The command of this incarnation was run in an earlier life of the jail (which was killed, or lost its shim, or
    /// its host), or ended as its policy leaves it. Restart policy `no` means at most once for each start that somebody
    /// asked for.
    bool command_spent = false;
    Restarts restarts{};
    /// Written when a jail that lives is to be made anew for another reason than its command's end: it goes, whatever
    /// it says by then. The record of the next life does not have it.
    bool ending = false;
    std::map<std::string, std::int64_t> lives{};  ///< Observed::lives when it was begun
    bool operator==(const MadeWith&) const = default;
};

std::string encode(const MadeWith& made);
/// Nothing for a text that this version cannot read.
std::optional<MadeWith> decode(const std::string& text);

}  // namespace jaild::reconcile
