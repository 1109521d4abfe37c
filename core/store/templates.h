#pragma once

#include <vector>

#include "core/model/jail.h"
#include "core/model/template.h"
#include "core/store/connection.h"
#include "core/store/reader.h"

/// Reader's and Writer's functions on templates.
namespace jaild::store::templates {

Result<model::Template> find(Connection& connection, TemplateId id);
Result<model::Template> find(Connection& connection, const model::TemplateRef& reference);
/// All of them, by id; not the host's.
Result<std::vector<model::Template>> all(Connection& connection);
Result<std::vector<std::string>> users(Connection& connection, TemplateId id);
/// Of all templates.
Result<std::vector<TemplateUser>> users(Connection& connection);

/// What insert() says when this one has the name and version.
Error exists(const model::Template& there);
Result<model::Template> insert(Connection& connection, const model::Template& value, UtcTime now);
Result<model::Template> finish(Connection& connection, const model::Template& value);
Result<model::Template> mark_removing(Connection& connection, TemplateId id);
Result<void> erase(Connection& connection, TemplateId id);

/// What a jail is made from: `spec` with the exact version, and the template's id; nothing for the host's and for
/// `path` roots. Errc::invalid "template_unknown", Errc::conflict "template_not_ready", both with field /template.
struct Resolved {
    model::JailSpec spec;
    std::optional<std::int64_t> id;
};
Result<Resolved> resolve(Connection& connection, const model::JailSpec& spec);

}  // namespace jaild::store::templates
