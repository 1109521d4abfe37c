#include "cli/spec/tree.h"

#include <algorithm>
#include <set>

#include "core/base/ascii.h"

namespace jaild::cli {
namespace {

class Tree {
public:
    Tree(const std::vector<std::string>& names, const std::map<std::string, std::vector<std::string>>& needs) {
        for (const auto& name : names) names_[to_lower(name)] = name;
        for (const auto& [name, needed] : needs) needs_[to_lower(name)] = needed;
    }

    [[nodiscard]] bool is_needed(const std::string& name) const {
        return std::ranges::any_of(needs_, [&](const auto& entry) {
            return names_.contains(entry.first) && std::ranges::any_of(entry.second, [&](const std::string& needed) {
                       return to_lower(needed) == to_lower(name);
                   });
        });
    }

    void add(const std::string& name, const std::string& above, const std::string& first, const std::string& rest) {
        const auto key = to_lower(name);
        const auto known = names_.find(key);
        const auto needed = needs_.find(key);
        const bool leaf = known == names_.end() || needed == needs_.end() || needed->second.empty();
        const bool before = !leaf && !shown_.insert(key).second;
        lines_.push_back({.branches = first,
                          .name = known == names_.end() ? name : known->second,
                          .above = above,
                          .known = known != names_.end(),
                          .before = before});
        if (leaf || before) return;
        const auto own = known->second;
        for (const auto& one : needed->second) {
            const bool last = &one == &needed->second.back();
            add(one, own, rest + (last ? "└─ " : "├─ "), rest + (last ? "   " : "│  "));
        }
    }

    std::vector<TreeLine> take() { return std::move(lines_); }

private:
    std::map<std::string, std::string> names_;
    std::map<std::string, std::vector<std::string>> needs_;
    std::set<std::string> shown_;
    std::vector<TreeLine> lines_;
};

}  // namespace

std::vector<TreeLine> dependency_tree(const std::vector<std::string>& names,
                                      const std::map<std::string, std::vector<std::string>>& needs) {
    Tree tree(names, needs);
    for (const auto& name : names)
        if (!tree.is_needed(name)) tree.add(name, {}, {}, {});
    return tree.take();
}

}  // namespace jaild::cli
