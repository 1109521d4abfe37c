#include "core/transfer/metadata.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/model/fields.h"

namespace jaild::transfer {
namespace {

using nlohmann::json;

constexpr std::size_t kTextBytes = 256;
constexpr std::size_t kSets = 64;

Error no_metadata(std::string detail) {
    return Error{.code = Errc::invalid,
                 .op = "import",
                 .detail = std::move(detail),
                 .reason = "no_export",
                 .remedy = "take the archive that `jaildctl export` wrote"};
}

Result<void> check_format(const json& object) {
    const auto format = object.find("format");
    if (format == object.end() || !format->is_number_integer())
        return std::unexpected(no_metadata("the archive does not say of which format it is"));
    const auto number = format->get<std::int64_t>();
    if (number == kFormat) return {};
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "import",
              .detail = fmt::format("the archive is of format {}, and this jaild knows {} only", number, kFormat),
              .reason = "export_format",
              .remedy = "import it with a jaild that is as new as the one that exported it"});
}

Result<model::TemplateSet> parse_set(const json& value, const std::string& at) {
    model::TemplateSet set;
    model::Fields fields(value, at);
    fields.text("name", set.name, kTextBytes);
    fields.text("sha256", set.sha256, kTextBytes);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return set;
}

}  // namespace

std::string to_text(const Metadata& metadata) {
    auto sets = json::array();
    for (const auto& set : metadata.sets) sets.push_back({{"name", set.name}, {"sha256", set.sha256}});
    return json{{"format", kFormat},
                {"name", metadata.name.text()},
                {"spec", model::to_json(metadata.spec, model::Secrets::keep)},
                {"template_sets", std::move(sets)},
                {"system", metadata.system},
                {"snapshot", metadata.snapshot},
                {"exported_at", metadata.exported_at},
                {"jaild", metadata.version}}
               .dump(1, ' ', false, json::error_handler_t::replace) +
           "\n";
}

Result<Metadata> parse(const std::string& text) {
    const auto object = json::parse(text, nullptr, false);
    if (!object.is_object()) return std::unexpected(no_metadata("what the archive says of its jail is no JSON object"));
    if (auto known = check_format(object); !known) return std::unexpected(known.error());
    std::optional<model::Name> known_as;
    model::Fields fields(object, "");
    fields.read("format", [](const json&, const std::string&) -> Result<void> { return {}; });  // read before
    fields.require("name");
    fields.read("name", [&](const json& value, const std::string& at) -> Result<void> {
        if (!value.is_string()) return std::unexpected(model::wrong_type(at, "a string"));
        auto name = model::Name::parse(value.get_ref<const std::string&>(), at);
        if (!name) return std::unexpected(name.error());
        known_as = *std::move(name);
        return {};
    });
    Metadata metadata{.name = *model::Name::parse("unnamed"), .spec = {}};
    fields.require("spec");
    fields.read("spec", [&](const json& value, const std::string& at) -> Result<void> {
        auto spec = model::parse_spec(value);
        if (!spec) {
            spec.error().field = at + spec.error().field;
            return std::unexpected(std::move(spec.error()));
        }
        metadata.spec = *std::move(spec);
        return {};
    });
    fields.each("template_sets", kSets, [&](const json& value, const std::string& at) -> Result<void> {
        auto set = parse_set(value, at);
        if (!set) return std::unexpected(set.error());
        metadata.sets.push_back(*std::move(set));
        return {};
    });
    fields.text("system", metadata.system, kTextBytes);
    fields.text("snapshot", metadata.snapshot, kTextBytes);
    fields.text("exported_at", metadata.exported_at, kTextBytes);
    fields.text("jaild", metadata.version, kTextBytes);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    metadata.name = *std::move(known_as);
    return metadata;
}

}  // namespace jaild::transfer
