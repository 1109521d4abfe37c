#include <charconv>
#include <fstream>
#include <sstream>

#include "core/kernel/names.h"
#include "tests/host/client.h"
#include "tests/results.h"

namespace jaild::test {

JailLife Client::life(const std::string& name) const {
    const auto found = jail(name);
    INFO(found);
    REQUIRE(found.at("status").at("pid").is_number());
    return {found.at("status").at("pid")};
}

bool lives(const JailLife& life) {
    return lives(static_cast<pid_t>(life.number));
}

JailId Client::id(const std::string& name) const {
    std::ifstream file("/proc/" + std::to_string(life(name).number) + "/cgroup");
    std::ostringstream all;
    all << file.rdbuf();
    const auto groups = std::move(all).str();
    const auto ours = "jaild/" + instance().text() + '/';
    const auto begin = groups.find(ours);
    INFO(groups);
    REQUIRE(begin != std::string::npos);
    JailId id{};
    std::from_chars(groups.data() + begin + ours.size(), groups.data() + groups.size(), id.value);
    return id;
}

std::string Client::network_of(const std::string& name) const {
    return kernel::container_name(instance(), id(name));
}

}  // namespace jaild::test
