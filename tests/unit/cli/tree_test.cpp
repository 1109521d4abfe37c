#include "cli/spec/tree.h"

#include "tests/catch.h"

using namespace jaild::cli;
using Lines = std::vector<std::string>;

namespace {

Lines drawn(const std::vector<std::string>& names, const std::map<std::string, std::vector<std::string>>& needs) {
    Lines lines;
    for (const auto& line : dependency_tree(names, needs))
        lines.push_back(line.branches + line.name + (line.known ? "" : " ?") + (line.before ? " ..." : ""));
    return lines;
}

}  // namespace

TEST_CASE("what a jail needs stands beneath it, once with all that it needs itself", "[cli]") {
    CHECK(drawn({"alone", "app", "db", "web", "worker"},
                {{"web", {"App", "cache"}}, {"app", {"db", "queue"}}, {"worker", {"app", "db"}}}) ==
          Lines{"alone", "web", "├─ app", "│  ├─ db", "│  └─ queue ?", "└─ cache ?", "worker", "├─ app ...", "└─ db"});
    CHECK(drawn({}, {}).empty());
    CHECK(drawn({"b", "a"}, {}) == Lines{"b", "a"});
}
