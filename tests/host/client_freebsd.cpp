#include <charconv>
#include <filesystem>

#include "tests/host/client.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

/// One parameter of a jail by jls(8); without its last newline.
std::string parameter(const std::string& jail, const std::string& what) {
    auto text = run_or_fail({"jls", "-j", jail, what});
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

}  // namespace

JailLife Client::life(const std::string& name) const {
    const auto found = jail(name);
    INFO(found);
    REQUIRE(found.at("status").at("jid").is_number());
    const std::int64_t jid = found.at("status").at("jid");
    CHECK(parameter(name, "jid") == std::to_string(jid));
    return {jid};
}

bool lives(const JailLife& life) {
    const auto found = run({"jls", "-j", std::to_string(life.number), "jid"});
    REQUIRE(found);
    return found->exit_code == 0;
}

JailId Client::id(const std::string& name) const {
    const std::filesystem::path root = parameter(name, "path");
    INFO(root);
    REQUIRE(root.filename() == "root");
    const auto number = root.parent_path().filename().string();
    JailId id{};
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id.value);
    REQUIRE(error == std::errc{});
    REQUIRE(end == number.data() + number.size());
    return id;
}

std::string Client::network_of(const std::string& name) const {
    return name;
}

}  // namespace jaild::test
