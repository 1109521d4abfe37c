#pragma once

#include <map>
#include <string>
#include <vector>

namespace jaild::cli {

/// One line of `jaildctl ls --tree`.
struct TreeLine {
    std::string branches;  ///< what leads to it: "│  └─ "
    std::string name;
    std::string above{};  ///< that needs it; empty for one that nobody does
    bool known = true;    ///< it is among the jails that are listed
    bool before = false;  ///< what it needs stands beneath an earlier line of it, and not here
    bool operator==(const TreeLine&) const = default;
};

/// Each jail that nobody else needs, in the order of `names`, and beneath it what it needs. `needs` by name, of which
/// jails know no case.
std::vector<TreeLine> dependency_tree(const std::vector<std::string>& names,
                                      const std::map<std::string, std::vector<std::string>>& needs);

}  // namespace jaild::cli
