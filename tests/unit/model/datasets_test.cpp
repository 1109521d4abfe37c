#include "core/model/datasets.h"

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

std::string datasets_refusal(json value) {
    return refusal_of({{"datasets", std::move(value)}});
}

/// What check_datasets() says of a spec with the dataset tank/data.
std::string contradiction_of(json fields) {
    fields["datasets"] = {"tank/data"};
    const auto error = error_of(check_datasets(value_of(parse_spec(fields))));
    CHECK_FALSE(error.remedy.empty());
    return std::string(error.name()) + " " + error.field;
}

bool agrees(json fields, const json& datasets) {
    fields["datasets"] = datasets;
    return check_datasets(value_of(parse_spec(fields))).has_value();
}

}  // namespace

TEST_CASE("datasets are named as zfs lists file systems", "[model][datasets]") {
    const json all{"tank", "zroot/jails-of_web/data.1", "z0:x/a"};
    const auto spec = value_of(parse_spec({{"datasets", all}}));
    CHECK(spec.datasets == all.get<std::vector<std::string>>());
    CHECK(to_json(spec, Secrets::hide).at("datasets") == all);
    CHECK(to_json(value_of(parse_spec(json::object())), Secrets::hide).at("datasets") == json::array());
    CHECK(datasets_refusal("tank/x") == "wrong_type /datasets");
    CHECK(datasets_refusal({1}) == "wrong_type /datasets/0");
    for (const char* wrong : {"", "/tank", "tank/", "tank//x", "tank/.", "tank/../x", "tank@today", "tank/x@today",
                              "tank/x#mark", "1tank", "-o", "tank/a b", "tank/%x", "tank/x,y", "t\xc3\xa4nk"}) {
        INFO(wrong);
        CHECK(datasets_refusal({"tank/good", wrong}) == "invalid_value /datasets/1");
    }
}

TEST_CASE("a spec has at most 16 datasets of 255 bytes", "[model][datasets][limits]") {
    json all = json::array();
    for (int i = 0; i < 16; ++i) all.push_back("tank/" + std::to_string(i));
    CHECK(value_of(parse_spec({{"datasets", all}})).datasets.size() == 16);
    all.push_back("tank/16");
    CHECK(datasets_refusal(all) == "too_many /datasets");
    const auto longest = "tank/" + std::string(250, 'x');
    CHECK(value_of(parse_spec({{"datasets", {longest}}})).datasets.front() == longest);
    CHECK(datasets_refusal({longest + "x"}) == "too_long /datasets/0");
}

TEST_CASE("no dataset of a spec lies within another", "[model][datasets]") {
    CHECK(datasets_refusal({"tank/x", "tank/x"}) == "invalid_value /datasets/1");
    CHECK(datasets_refusal({"tank/x", "tank/x/y"}) == "invalid_value /datasets/1");
    CHECK(datasets_refusal({"tank/x/y", "tank"}) == "invalid_value /datasets/1");
    CHECK(value_of(parse_spec({{"datasets", {"tank/x", "tank/xy"}}})).datasets.size() == 2);
    CHECK(overlap("tank", "tank/x"));
    CHECK_FALSE(overlap("tank/x", "tank/xy"));
    CHECK_FALSE(is_within("tank", "tank/x"));
}

TEST_CASE("a jail has what its datasets need without being asked", "[model][datasets]") {
    auto with = value_of(parse_spec({{"datasets", {"tank/data"}}, {"parameters", {{"allow.nomount", false}}}}));
    CHECK(parameters_with_datasets(with) ==
          Parameters{{"allow.mount.zfs", true}, {"allow.nomount", false}, {"enforce_statfs", std::int64_t{1}}});
    CHECK(devices_with_datasets(with) == std::vector<std::string>{"zfs"});
    with.devices = {"z*"};
    CHECK(devices_with_datasets(with) == with.devices);
    with.parameters = {{"enforce_statfs", std::int64_t{0}}};
    CHECK(parameters_with_datasets(with).at("enforce_statfs") == ParameterValue(std::int64_t{0}));
    with.datasets.clear();
    with.devices.clear();
    CHECK(parameters_with_datasets(with) == with.parameters);
    CHECK(devices_with_datasets(with).empty());
}

TEST_CASE("a spec that takes away what its datasets need is refused", "[model][datasets]") {
    CHECK(contradiction_of({{"parameters", {{"allow.mount", false}}}}) == "contradiction /parameters/allow.mount");
    CHECK(contradiction_of({{"parameters", {{"allow.nomount", true}}}}) == "contradiction /parameters/allow.nomount");
    CHECK(contradiction_of({{"parameters", {{"allow.mount.zfs", 0}}}}) == "contradiction /parameters/allow.mount.zfs");
    CHECK(contradiction_of({{"parameters", {{"allow.mount.nozfs", 1}}}}) ==
          "contradiction /parameters/allow.mount.nozfs");
    CHECK(contradiction_of({{"parameters", {{"enforce_statfs", 2}}}}) == "contradiction /parameters/enforce_statfs");
    const json needed{{"parameters", {{"allow.mount", 1}, {"allow.mount.nozfs", false}, {"enforce_statfs", 0}}}};
    CHECK(agrees(needed, {"tank/data"}));
    CHECK(agrees({{"parameters", {{"allow.mount", false}}}}, json::array()));
}

TEST_CASE("the host mounts no dataset in a jail that is given it", "[model][datasets]") {
    const auto mounting = [](const char* source) {
        return json{
            {"mounts",
             {{{"type", "tmpfs"}, {"target", "/tmp"}}, {{"type", "zfs"}, {"source", source}, {"target", "/data"}}}}};
    };
    for (const char* source : {"tank/data", "tank/data/deeper", "tank"})
        CHECK(contradiction_of(mounting(source)) == "contradiction /mounts/1/source");
    CHECK(agrees(mounting("tank/other"), {"tank/data"}));
}
