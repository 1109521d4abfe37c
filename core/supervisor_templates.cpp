#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/store/templates.h"
#include "core/supervisor_impl.h"
#include "core/templates/copy.h"

/// Templates: reads and changes.
namespace jaild {
namespace {

using Kept = std::optional<AcceptedTemplate>;

Error version_required(const model::TemplateRef& reference) {
    return Error{
        .code = Errc::invalid,
        .op = "remove_template",
        .detail = fmt::format("\"{}\" names no version", reference.text()),
        .reason = "version_required",
        .remedy = fmt::format("name the one that is to go: jaildctl template rm {}:VERSION", reference.text())};
}

Error builtin(std::string_view op) {
    return Error{
        .code = Errc::conflict, .op = op, .detail = "the template \"host\" is built in", .reason = "template_builtin"};
}

Error not_ready(const model::Template& value) {
    return Error{.code = Errc::conflict,
                 .op = "update_template",
                 .detail = fmt::format("template {} is {}", value.reference(), model::to_string(value.state)),
                 .reason = "template_not_ready"};
}

Error cancelled_import(const model::Template& value) {
    return Error{.code = Errc::conflict,
                 .op = "remove_template",
                 .detail = fmt::format("the import of template {} was cancelled: it goes by itself", value.reference()),
                 .reason = "template_importing"};
}

Error still_importing(const model::Template& value, const std::string& operation) {
    return Error{
        .code = Errc::conflict,
        .op = "remove_template",
        .detail = fmt::format("template {} is still being imported, by operation {}", value.reference(), operation),
        .reason = "template_importing",
        .remedy = fmt::format("end the import: DELETE /v1/operations/{}", operation)};
}

Error jail_not_stopped(const model::Jail& jail, model::JailState state) {
    return Error{.code = Errc::conflict,
                 .op = "create_template",
                 .detail = fmt::format("jail \"{}\" is {}: a template is made of one that is stopped", jail.name.text(),
                                       jail.removing ? "being removed" : model::to_string(state)),
                 .reason = "jail_running",
                 .field = "/jail",
                 .remedy = jail.removing ? "name another one"
                                         : fmt::format("stop it first: jaildctl stop {}", jail.name.text())};
}

/// A jail's template said which of its parts programs write to.
std::vector<std::string> private_parts(const model::TemplateRequest& request, const std::optional<model::Jail>& jail) {
    if (!request.private_parts.empty() || !jail || !jail->base) return request.private_parts;
    return jail->base->private_parts;
}

}  // namespace

void ShownTemplate::add(store::TemplateUser user) {
    if (user.id != value.id) return;
    if (user.snapshot.empty())
        jails.push_back(std::move(user.jail));
    else
        snapshots.push_back(std::move(user.snapshot));
}

nlohmann::json ShownTemplate::to_json() const {
    return model::to_json(value, jails, snapshots);
}

std::vector<std::string> Supervisor::Impl::jails_of_host() const {
    std::vector<std::string> names;
    for (const auto& jail : cache.all())
        if (jail.spec.template_name == "host") names.push_back(jail.name.text());
    return names;
}

Result<ShownTemplate> Supervisor::Impl::show(store::Reader& reader, model::Template value) const {
    ShownTemplate shown{.value = std::move(value)};
    auto users = reader.template_users();
    if (!users) return std::unexpected(users.error());
    for (auto& user : *users) shown.add(std::move(user));
    return shown;
}

Result<Kept> Supervisor::Impl::kept_template(store::Reader& reader, const Caller& caller, const Retry& retry) const {
    const auto kept = kept_under(reader, caller, retry);
    if (!kept) return std::unexpected(kept.error());
    if (!*kept) return std::nullopt;
    auto operation = reader.operation(**kept);
    if (!operation) return std::unexpected(operation.error());
    auto value = reader.find_template(operation->template_id);
    if (!value && value.error().code == Errc::not_found)
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "retry",
                  .detail = fmt::format("the request under this Idempotency-Key was done before, as "
                                        "operation {}, which {}; there is no template {} any more",
                                        operation->id, model::to_string(operation->state), operation->template_name),
                  .reason = "idempotency_key_spent",
                  .remedy = "use a new key to do it once more"});
    if (!value) return std::unexpected(value.error());
    auto shown = show(reader, *std::move(value));
    if (!shown) return std::unexpected(shown.error());
    return AcceptedTemplate{.shown = *std::move(shown), .operation = operation->id, .replayed = true};
}

Result<std::optional<model::Jail>> Supervisor::Impl::template_source(store::Reader& reader,
                                                                     const model::TemplateRequest& request) const {
    if (!request.jail) return std::nullopt;
    auto jail = reader.jail(*request.jail);
    if (!jail && jail.error().code == Errc::not_found) {
        jail.error().code = Errc::invalid;
        jail.error().reason = "jail_unknown";
        jail.error().field = "/jail";
    }
    if (!jail) return std::unexpected(jail.error());
    if (auto possible = templates::check_jail(*jail); !possible) return std::unexpected(possible.error());
    if (jail->root_change) return std::unexpected(check_root_free(*jail).error());
    const auto state = reconciler.status(*jail).state;
    if (jail->removing || jail->spec.running || state != model::JailState::stopped)
        return std::unexpected(jail_not_stopped(*jail, state));
    return jail;
}

Result<std::string> Supervisor::Impl::write_template_change(store::Writer& writer, const Caller& caller,
                                                            const model::Template& value, std::string_view what,
                                                            std::string_view happened) {
    auto operation = writer.insert_operation({.id = {},
                                              .kind = fmt::format("template.{}", what),
                                              .jail_name = {},
                                              .template_id = value.id,
                                              .template_name = value.reference()});
    if (!operation) return std::unexpected(operation.error());
    const nlohmann::json data{{"template", value.reference()}, {"by", caller.principal}};
    auto event = writer.append_event(fmt::format("template.{}", happened), {}, operation->id, data.dump());
    if (!event) return std::unexpected(event.error());
    auto audited = writer.append_audit({.principal = caller.principal,
                                        .action = fmt::format("template.{}", what),
                                        .object = value.reference(),
                                        .outcome = "accepted"});
    if (!audited) return std::unexpected(audited.error());
    return operation->id;
}

Result<AcceptedTemplate> Supervisor::Impl::write_new_template(store::Writer& writer, const Caller& caller,
                                                              const model::Template& value, std::string_view what,
                                                              const Retry& retry) {
    auto made = writer.insert_template(value);
    if (!made) return std::unexpected(made.error());
    auto operation = write_template_change(writer, caller, *made, what, "importing");
    if (!operation) return std::unexpected(operation.error());
    if (!retry.key.empty()) {
        auto kept =
            writer.remember(caller.principal, retry.key, {.fingerprint = retry.fingerprint, .operation = *operation});
        if (!kept) return std::unexpected(kept.error());
    }
    return AcceptedTemplate{.shown = {.value = *std::move(made)}, .operation = *std::move(operation)};
}

Result<std::vector<ShownTemplate>> Supervisor::templates(const Caller& caller) {
    if (auto allowed = authorize(caller, Role::viewer, "template.list"); !allowed)
        return std::unexpected(allowed.error());
    std::vector<ShownTemplate> all{{.value = model::host_template(), .jails = impl_->jails_of_host()}};
    auto done = impl_->store.read([&](store::Reader& reader) -> Result<void> {
        auto rows = reader.templates();
        if (!rows) return std::unexpected(rows.error());
        auto users = reader.template_users();
        if (!users) return std::unexpected(users.error());
        for (auto& row : *rows) {
            auto& shown = all.emplace_back(ShownTemplate{.value = std::move(row)});
            for (const auto& user : *users) shown.add(user);
        }
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return all;
}

Result<ShownTemplate> Supervisor::get_template(const Caller& caller, const model::TemplateRef& reference) {
    if (auto allowed = authorize(caller, Role::viewer, "template.get"); !allowed)
        return std::unexpected(allowed.error());
    if (reference.is_host()) return ShownTemplate{.value = model::host_template(), .jails = impl_->jails_of_host()};
    return store::read<ShownTemplate>(impl_->store, [&](store::Reader& reader) -> Result<ShownTemplate> {
        auto found = reader.find_template(reference);
        if (!found) return std::unexpected(found.error());
        return impl_->show(reader, *std::move(found));
    });
}

Result<AcceptedTemplate> Supervisor::import_template(const Caller& caller, model::TemplateRequest request,
                                                     Retry retry) {
    // Whoever may start a jail reads all that is in it.
    auto allowed = request.jail ? authorize(caller, Role::operator_, "template.create from a jail")
                                : authorize(caller, Role::admin, "template.import of a file of the host");
    if (!allowed) return std::unexpected(allowed.error());
    return impl_->import_template(caller, std::move(request), {}, retry);
}

Result<templates::Upload> Supervisor::begin_template_upload(const Caller& caller, const model::TemplateRequest& request,
                                                            const Retry& retry) {
    if (auto allowed = authorize(caller, Role::operator_, "template.upload"); !allowed)
        return std::unexpected(allowed.error());
    if (auto possible = impl_->engine.check(request); !possible) return std::unexpected(possible.error());
    const auto reference = model::TemplateRef::make(request.name.text(), request.version, "/name");
    if (!reference) return std::unexpected(reference.error());
    // Before gigabytes come for nothing.
    auto is_free = impl_->store.read([&](store::Reader& reader) -> Result<void> {
        const auto again = impl_->kept_template(reader, caller, retry);
        if (!again) return std::unexpected(again.error());
        if (*again || reference->latest()) return {};
        const auto there = reader.find_template(*reference);
        if (there) return std::unexpected(store::templates::exists(*there));
        return there.error().code == Errc::not_found ? Result<void>{} : std::unexpected(there.error());
    });
    if (!is_free) return std::unexpected(is_free.error());
    return impl_->engine.begin_upload();
}

Result<AcceptedTemplate> Supervisor::import_upload(const Caller& caller, model::TemplateRequest request,
                                                   templates::Upload upload, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "template.upload"); !allowed)
        return std::unexpected(allowed.error());
    return impl_->import_template(caller, std::move(request), std::move(upload).take(), retry);
}

Result<AcceptedTemplate> Supervisor::Impl::import_template(const Caller& caller, model::TemplateRequest request,
                                                           UniqueFd upload, const Retry& retry) {
    const auto again = [&](store::Reader& reader) { return kept_template(reader, caller, retry); };
    auto before = store::read<Kept>(store, again);
    if (!before) return std::unexpected(before.error());
    if (*before) return **std::move(before);
    if (auto possible = engine.check(request); !possible) return std::unexpected(possible.error());

    std::optional<model::Jail> jail;
    auto accepted = store::write<AcceptedTemplate>(store, [&](store::Writer& writer) -> Result<AcceptedTemplate> {
        auto known = again(writer);
        if (!known) return std::unexpected(known.error());
        if (*known) return **std::move(known);
        auto source = template_source(writer, request);
        if (!source) return std::unexpected(source.error());
        jail = *std::move(source);
        return write_new_template(writer, caller,
                                  {.id = {},
                                   .name = request.name,
                                   .version = request.version,
                                   .description = request.description,
                                   .source = request.source(),
                                   .private_parts = private_parts(request, jail),
                                   .sets = {},
                                   .created_at = {}},
                                  "import", retry);
    });
    if (accepted && !accepted->replayed)
        engine.import(accepted->shown.value, std::move(request),
                      {.jail = std::move(jail), .upload = std::move(upload)});
    return accepted;
}

Result<AcceptedTemplate> Supervisor::update_template(const Caller& caller, const model::TemplateRef& reference,
                                                     model::TemplateUpdate update, Retry retry) {
    // The host asks the net, and what comes from there runs as root.
    if (auto allowed = authorize(caller, Role::admin, "template.update"); !allowed)
        return std::unexpected(allowed.error());
    const auto again = [&](store::Reader& reader) { return impl_->kept_template(reader, caller, retry); };
    auto before = store::read<Kept>(impl_->store, again);
    if (!before) return std::unexpected(before.error());
    if (*before) return **std::move(before);
    if (reference.is_host()) return std::unexpected(builtin("update_template"));
    if (auto possible = impl_->engine.check_update(); !possible) return std::unexpected(possible.error());

    std::optional<model::Template> from;
    auto accepted =
        store::write<AcceptedTemplate>(impl_->store, [&](store::Writer& writer) -> Result<AcceptedTemplate> {
            auto known = again(writer);
            if (!known) return std::unexpected(known.error());
            if (*known) return **std::move(known);
            auto found = writer.find_template(reference);
            if (!found) return std::unexpected(found.error());
            if (found->state != model::TemplateState::ready) return std::unexpected(not_ready(*found));
            from = *std::move(found);
            return Impl::write_new_template(
                writer, caller,
                {.id = {},
                 .name = from->name,
                 .version = update.version,
                 .description = update.description.empty() ? from->description : update.description,
                 .source = "update of " + from->reference(),
                 .private_parts = from->private_parts,
                 .sets = {},
                 .created_at = {}},
                "update", retry);
        });
    if (accepted && !accepted->replayed)
        impl_->engine.import(accepted->shown.value, {.name = accepted->shown.value.name}, {.from = std::move(from)});
    return accepted;
}

Result<AcceptedTemplate> Supervisor::remove_template(const Caller& caller, const model::TemplateRef& reference) {
    if (auto allowed = authorize(caller, Role::operator_, "template.remove"); !allowed)
        return std::unexpected(allowed.error());
    if (reference.is_host()) return std::unexpected(builtin("remove_template"));
    if (reference.latest()) return std::unexpected(version_required(reference));
    auto accepted =
        store::write<AcceptedTemplate>(impl_->store, [&](store::Writer& writer) -> Result<AcceptedTemplate> {
            auto value = writer.find_template(reference);
            if (!value) return std::unexpected(value.error());
            auto running = writer.running_operations(value->id);
            if (!running) return std::unexpected(running.error());
            if (value->state == model::TemplateState::importing)
                return std::unexpected(running->empty() ? cancelled_import(*value)
                                                        : still_importing(*value, running->front().id));
            const bool going = value->state == model::TemplateState::removing;
            if (!running->empty() && going)
                return AcceptedTemplate{
                    .shown = {.value = *std::move(value)}, .operation = running->front().id, .replayed = true};
            auto removing = writer.mark_template_removing(value->id);
            if (!removing) return std::unexpected(removing.error());
            auto operation = Impl::write_template_change(writer, caller, *removing, "remove", "removing");
            if (!operation) return std::unexpected(operation.error());
            // One that is on its way already, with nobody waiting for it, ends the new operation too.
            return AcceptedTemplate{
                .shown = {.value = *std::move(removing)}, .operation = *std::move(operation), .replayed = going};
        });
    if (accepted && !accepted->replayed) impl_->engine.remove(accepted->shown.value);
    return accepted;
}

}  // namespace jaild
