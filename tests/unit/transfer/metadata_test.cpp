#include "core/transfer/metadata.h"

#include <nlohmann/json.hpp>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

namespace {

transfer::Metadata metadata_of_web() {
    auto spec = value_of(model::parse_spec({{"template", "base:1"},
                                            {"running", false},
                                            {"exec", {{"env", {{"KEY", {{"value", "hidden"}, {"secret", true}}}}}}},
                                            {"labels", {{"tier", "front"}}}}));
    return {.name = value_of(model::Name::parse("web")),
            .spec = std::move(spec),
            .sets = {{.name = "base.txz", .sha256 = std::string(64, 'a')}},
            .system = "FreeBSD",
            .snapshot = "before",
            .exported_at = "2026-11-22T23:00:00Z",
            .version = "0.1.0"};
}

nlohmann::json json_of_web() {
    return nlohmann::json::parse(transfer::to_text(metadata_of_web()));
}

Error refused(const nlohmann::json& object) {
    return error_of(transfer::parse(object.dump()));
}

}  // namespace

TEST_CASE("what an archive says of its jail comes back as it went in, secrets too", "[transfer]") {
    const auto web = metadata_of_web();
    const auto back = value_of(transfer::parse(transfer::to_text(web)));
    CHECK(back.name.text() == "web");
    CHECK(back.spec == web.spec);
    CHECK(back.spec.exec.env.at("KEY").value == "hidden");
    CHECK(back.sets == web.sets);
    CHECK(back.system == "FreeBSD");
    CHECK(back.snapshot == "before");
    CHECK(back.exported_at == web.exported_at);
    CHECK(back.version == "0.1.0");
}

TEST_CASE("what is no archive's word, or a later one's, is told apart", "[transfer]") {
    for (const char* text : {"", "[]", "nothing", "{}", "{\"format\": \"1\"}"})
        CHECK(error_of(transfer::parse(text)).name() == "no_export");
    auto later = json_of_web();
    later["format"] = 2;
    later["shape"] = "unknown to this one";
    CHECK(refused(later).name() == "export_format");
    CHECK(refused(later).code == Errc::unsupported);
}

TEST_CASE("errors of an archive's word name their field", "[transfer]") {
    const auto at = [](const std::string& pointer, const nlohmann::json& value) {
        auto object = json_of_web();
        object[nlohmann::json::json_pointer(pointer)] = value;
        const auto error = refused(object);
        return std::string(error.name()) + " " + error.field;
    };
    CHECK(at("/name", "a b") == "invalid_name /name");
    CHECK(at("/name", 7) == "wrong_type /name");
    CHECK(at("/spec", "web") == "wrong_type /spec");
    CHECK(at("/spec/labels/tier", 7) == "wrong_type /spec/labels/tier");
    CHECK(at("/spec/publish", 7) == "wrong_type /spec/publish");
    CHECK(at("/system", 7) == "wrong_type /system");
    CHECK(at("/template_sets/0/name", 7) == "wrong_type /template_sets/0/name");
    CHECK(at("/color", "red") == "unknown_field /color");
    for (const char* key : {"name", "spec"}) {
        auto object = json_of_web();
        object.erase(key);
        CHECK(refused(object).name() == "missing_field");
    }
}
