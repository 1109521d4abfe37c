#include "tests/unit/model/random_specs.h"
#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {
constexpr std::uint64_t kSeed = 20261121;
constexpr std::uint64_t kSpecs = 2000;
}  // namespace

TEST_CASE("what was written down reads back as the same spec", "[model][property]") {
    for (auto seed = kSeed; seed < kSeed + kSpecs; ++seed) {
        const auto original = RandomSpecs(seed).next();
        const auto text = to_json(original, Secrets::keep).dump();
        const auto again = parse_spec(json::parse(text));
        INFO("seed " << seed << ": " << text);
        if (!again) FAIL(again.error().to_string());
        if (!(*again == original)) FAIL("another spec came back");
    }
}

TEST_CASE("reading and writing back changes nothing, and shows no secret", "[model][property]") {
    for (auto seed = kSeed; seed < kSeed + kSpecs; ++seed) {
        const auto original = RandomSpecs(seed).next();
        const auto shown = to_json(original, Secrets::hide);
        INFO("seed " << seed << ": " << shown.dump());
        for (const auto& [name, value] : original.exec.env)
            if (value.secret && shown["exec"]["env"][name] != json{{"secret", true}}) FAIL("a secret is shown");
        const auto replaced = replace(original, shown);
        const auto merged = merge_patch(original, shown);
        if (!replaced || !(*replaced == original)) FAIL("PUT of what GET showed is a change");
        if (!merged || !(*merged == original)) FAIL("PATCH with what GET showed is a change");
    }
}

TEST_CASE("replacing one spec by another is the other, whatever was before", "[model][property]") {
    for (auto seed = kSeed; seed < kSeed + kSpecs; ++seed) {
        RandomSpecs random(seed);
        const auto before = random.next();
        const auto after = random.next();
        INFO("seed " << seed);
        const auto replaced = replace(before, to_json(after, Secrets::keep));
        if (!replaced || !(*replaced == after)) FAIL("something of the old spec is left");
        if (!(before.exec.start == after.exec.start) && restart_fields_changed(before, after).empty())
            FAIL("a change was missed");
        if (!restart_fields_changed(after, after).empty()) FAIL("a change from itself to itself");
    }
}

TEST_CASE("no damaged document is taken for more than it says, and none ends the program", "[model][property]") {
    for (auto seed = kSeed; seed < kSeed + kSpecs; ++seed) {
        RandomSpecs random(seed);
        auto document = to_json(random.next(), Secrets::keep);
        const auto leaves = document.flatten();
        auto leaf = leaves.begin();
        std::advance(leaf, random.below(leaves.size()));
        static const json damage[] = {
            nullptr, true, -1, 1.5, "", "x\n", json::array(), json::object(), std::string(70'000, 'x')};
        document[json::json_pointer(leaf.key())] = damage[random.below(std::size(damage))];
        INFO("seed " << seed << " at " << leaf.key());
        const auto taken = parse_spec(document);
        if (!taken) {
            if (taken.error().code != Errc::invalid) FAIL(taken.error().to_string());
            continue;
        }
        const auto again = parse_spec(to_json(*taken, Secrets::keep));
        if (!again || !(*again == *taken)) FAIL("it was taken, but does not survive being written down");
    }
}
