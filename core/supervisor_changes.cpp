#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/model/datasets.h"
#include "core/supervisor.h"
#include "core/supervisor_impl.h"

namespace jaild {
namespace {

/// Carries a dry run's result out of a transaction that must be undone.
constexpr std::string_view kDryRun = "dry_run";

Result<void> undo_dry_run() {
    return std::unexpected(Error{.code = Errc::conflict, .op = kDryRun});
}

/// A change is judged by the kernel before its transaction; so often it may find that the jail was changed meanwhile.
constexpr std::string_view kJudge = "judge";
constexpr int kVerdicts = 16;

Error verdict_outdated() {
    return Error{.code = Errc::busy,
                 .op = kJudge,
                 .detail = "the jail is changed too often to follow",
                 .reason = "jail_busy",
                 .remedy = "try again"};
}

Result<void> check_not_removing(const model::Jail& jail) {
    if (!jail.removing) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "change",
                                 .detail = fmt::format("jail \"{}\" is being removed", jail.name.text()),
                                 .reason = "jail_removing"});
}

/// Like the directory of a path root, a ruleset or a parameter can show a jail more of the host than an operator may
/// see; and the host's network stack is all of its network.
Result<void> authorize_confinement(const Caller& caller, const model::JailSpec& from, const model::JailSpec& to) {
    if (to.devfs_ruleset && from.devfs_ruleset != to.devfs_ruleset)
        if (auto allowed = authorize(caller, Role::admin, "a choice of devfs_ruleset"); !allowed) return allowed;
    if (!to.devices.empty() && from.devices != to.devices)
        if (auto allowed = authorize(caller, Role::admin, "a choice of devices"); !allowed) return allowed;
    if (!to.datasets.empty() && from.datasets != to.datasets)
        if (auto allowed = authorize(caller, Role::admin, "a choice of datasets"); !allowed) return allowed;
    if (const auto hook = model::hook_changed(from, to)) {
        auto allowed =
            authorize(caller, Role::admin, fmt::format("a change of {}: it runs on the host as root", *hook));
        if (!allowed) allowed.error().field = *hook;
        if (!allowed) return allowed;
    }
    if (const auto network = model::network_for_admins(from, to))
        if (auto allowed = authorize(caller, Role::admin, "a choice of " + *network); !allowed) return allowed;
    const auto parameter = model::parameter_for_admins(from.parameters, to.parameters);
    if (!parameter) return {};
    return authorize(caller, Role::admin, "a choice of the parameter " + *parameter);
}

/// One that is stopped would go at once.
Result<void> check_ephemeral(const model::JailSpec& from, const model::JailSpec& to) {
    if (!to.ephemeral || from.ephemeral || to.running) return {};
    auto error = Error::invalid("ephemeral_stopped", "/ephemeral",
                                "a jail that does not run is needed by nobody: it would be removed at once");
    error.remedy = "let it run, or leave `ephemeral` out";
    return std::unexpected(std::move(error));
}

/// A running operation of that kind on the jail, if there is one.
Result<std::string> running_operation(store::Reader& reader, JailId jail, std::string_view kind) {
    auto running = reader.running_operations(jail);
    if (!running) return std::unexpected(running.error());
    for (const auto& operation : *running)
        if (operation.kind == kind) return operation.id;
    return std::string{};
}

Error gone_since(const model::Operation& operation) {
    return Error{.code = Errc::conflict,
                 .op = "retry",
                 .detail = fmt::format("the request under this Idempotency-Key was done before, as operation {}; jail "
                                       "\"{}\" has been removed since",
                                       operation.id, operation.jail_name),
                 .reason = "idempotency_key_spent",
                 .remedy = "use a new key to do it once more"};
}

}  // namespace

Result<std::optional<Accepted>> replayed(store::Reader& reader, const Caller& caller, const Retry& retry) {
    const auto kept = kept_under(reader, caller, retry);
    if (!kept) return std::unexpected(kept.error());
    if (!*kept) return std::nullopt;
    auto operation = reader.operation(**kept);
    if (!operation) return std::unexpected(operation.error());
    auto jail = reader.jail(operation->jail);
    if (!jail && jail.error().code == Errc::not_found) return std::unexpected(gone_since(*operation));
    if (!jail) return std::unexpected(jail.error());
    return Accepted{.jail = *std::move(jail), .operation = operation->id, .replayed = true};
}

Result<void> check_preconditions(const model::Jail& jail, const Precondition& precondition) {
    if (precondition.if_none_match)
        return std::unexpected(Error{.code = Errc::stale,
                                     .op = "precondition",
                                     .detail = fmt::format("jail \"{}\" exists already", jail.name.text()),
                                     .reason = "etag_mismatch"});
    if (!precondition.if_match || *precondition.if_match == "*" || *precondition.if_match == model::etag(jail))
        return {};
    return std::unexpected(Error{
        .code = Errc::stale,
        .op = "precondition",
        .detail = fmt::format("jail \"{}\" has changed: its entity tag is {} now", jail.name.text(), model::etag(jail)),
        .reason = "etag_mismatch",
        .remedy = "GET it again, and repeat the change on what you find"});
}

Result<void> Supervisor::Impl::authorize_spec(const Caller& caller, const model::JailSpec& from,
                                              const model::JailSpec& to) const {
    if (auto allowed = authorize_confinement(caller, from, to); !allowed) return allowed;
    return authorize_mounts(caller, from, to);
}

Result<std::string> Supervisor::Impl::write_change(store::Writer& writer, const Caller& caller, const Change& change,
                                                   const model::Jail& jail) {
    auto operation = writer.insert_operation({.id = {},
                                              .kind = std::string(change.kind),
                                              .jail = jail.id,
                                              .jail_name = jail.name.text(),
                                              .generation = jail.generation,
                                              .incarnation = jail.incarnation,
                                              .snapshot_name = change.snapshot});
    if (!operation) return std::unexpected(operation.error());
    const nlohmann::json data{{"generation", jail.generation}, {"by", caller.principal}};
    if (auto event = writer.append_event(change.event, jail.name.text(), operation->id, data.dump()); !event)
        return std::unexpected(event.error());
    auto audited = writer.append_audit({.principal = caller.principal,
                                        .action = std::string(change.action),
                                        .object = jail.name.text(),
                                        .outcome = "accepted"});
    if (!audited) return std::unexpected(audited.error());
    return operation->id;
}

Result<void> Supervisor::Impl::begin_change(store::Writer& writer, const Caller& caller, const Change& change,
                                            const Retry& retry, Accepted& accepted) {
    auto operation = write_change(writer, caller, change, accepted.jail);
    if (!operation) return std::unexpected(operation.error());
    accepted.operation = *std::move(operation);
    if (retry.key.empty()) return {};
    return writer.remember(caller.principal, retry.key,
                           {.fingerprint = retry.fingerprint, .operation = accepted.operation});
}

void Supervisor::Impl::committed(const Accepted& accepted) {
    const auto& row = accepted.jail;
    const auto before = cache.find(row.name);
    const bool restarts = before && before->id == row.id && before->incarnation != row.incarnation;
    cache.put(row);
    if (row.removing || !row.spec.running || restarts || row.root_change) {
        reconciler.interrupt(row.id);
    } else {
        reconciler.poke(row.id);
    }
}

Result<Accepted> Supervisor::create(const Caller& caller, model::NamedSpec spec, DryRun dry_run, Retry retry) {
    return impl_->create(caller, std::move(spec), dry_run, std::move(retry), Impl::OfTemplate{});
}

Result<Accepted> Supervisor::Impl::create(const Caller& caller, model::NamedSpec spec, DryRun dry_run, Retry retry,
                                          const RootSource& source, const model::Pool* pool) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.create"); !allowed)
        return std::unexpected(allowed.error());
    if (spec.spec.root.kind == model::RootKind::path)
        if (auto allowed = authorize(caller, Role::admin, "jail.create with a path root"); !allowed)
            return std::unexpected(allowed.error());
    if (auto allowed = authorize_spec(caller, {}, spec.spec); !allowed) return std::unexpected(allowed.error());
    // A replay is answered before the checks: the jail that it made must not stand in its own way.
    const auto again = [&](store::Reader& reader) { return replayed(reader, caller, retry); };
    auto before = store::read<std::optional<Accepted>>(store, again);
    if (!before) return std::unexpected(before.error());
    if (*before) {
        (*before)->jail = with_status(std::move((*before)->jail));
        return **std::move(before);
    }
    auto resolved =
        store::read<model::JailSpec>(store, [&](store::Reader& reader) { return reader.resolve_template(spec.spec); });
    if (!resolved) return std::unexpected(resolved.error());
    spec.spec = *std::move(resolved);
    if (auto whole = model::check_datasets(spec.spec); !whole) return std::unexpected(whole.error());
    if (auto runs = check_ephemeral({}, spec.spec); !runs) return std::unexpected(runs.error());
    if (auto possible = check_host(spec.spec, spec.name.text()); !possible) return std::unexpected(possible.error());

    std::optional<Accepted> accepted;
    auto written = store.write([&](store::Writer& writer) -> Result<void> {
        auto known = again(writer);
        if (!known) return std::unexpected(known.error());
        if (*known) {
            accepted = **std::move(known);
            return {};
        }
        if (auto free = check_ports(writer, JailId{}, spec.spec); !free) return free;
        if (auto enforced = check_denied(writer, JailId{}, spec.name, spec.spec); !enforced) return enforced;
        auto jail = writer.insert_jail(spec);
        const auto* from = std::get_if<model::Snapshot>(&source);
        const bool unpacks = std::holds_alternative<OfArchive>(source);
        if (jail && unpacks) jail = writer.begin_unpack(jail->id);
        if (jail && from)
            jail = writer.change_root(
                jail->id, {.from = from->id, .name = from->reference(), .from_jail = from->jail, .keep = {}}, *from);
        if (jail && pool) jail = writer.put_in_pool(jail->id, *pool);
        if (!jail) return std::unexpected(jail.error());
        accepted = Accepted{.jail = *std::move(jail), .operation = {}};
        if (dry_run == DryRun::yes) return undo_dry_run();
        const Change created{.kind = "create", .event = "jail.created", .action = "jail.create"};
        const Change imported{.kind = "import", .event = "jail.importing", .action = "jail.import"};
        return begin_change(writer, caller, unpacks ? imported : created, retry, *accepted);
    });
    return finish(std::move(written), std::move(accepted), dry_run);
}

Result<Accepted> Supervisor::Impl::finish(Result<void> written, std::optional<Accepted> accepted, DryRun dry_run) {
    const bool undone = !written && written.error().op == kDryRun;
    if (!written && !undone) return std::unexpected(written.error());
    if (dry_run == DryRun::yes) {
        auto planned = steps(accepted->jail);
        if (!planned) return std::unexpected(planned.error());
        accepted->plan = *std::move(planned);
    } else if (!accepted->operation.empty() && !accepted->replayed) {
        committed(*accepted);
    }
    accepted->jail = with_status(std::move(accepted->jail));
    return *std::move(accepted);
}

bool Supervisor::Impl::wants_restart(const model::Jail& before, const model::Jail& after) const {
    if (!before.spec.running || !after.spec.running) return false;
    return !model::restart_fields_changed(before.spec, after.spec).empty() || reconciler.needs_restart(after);
}

Result<void> Supervisor::Impl::write_spec(const Caller& caller, const model::Name& name, const MakeSpec& make_spec,
                                          const Precondition& precondition, bool restart, DryRun dry_run,
                                          std::optional<Accepted>& accepted) {
    // To ask the kernel may load a module: not for whom the transaction refuses below.
    const auto permitted = [&](const model::JailSpec& from) -> Result<model::JailSpec> {
        auto to = make_spec(from);
        if (!to) return to;
        if (auto allowed = authorize_spec(caller, from, *to); !allowed) return std::unexpected(allowed.error());
        return to;
    };
    const auto verdict = judge(name, permitted);
    return store.write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.jail(name);
        if (!jail) return std::unexpected(jail.error());
        if (auto there = check_not_removing(*jail); !there) return there;
        if (auto free = check_not_pooled(*jail); !free) return free;
        if (auto current = check_preconditions(*jail, precondition); !current) return current;
        auto spec = make_spec(jail->spec);
        if (!spec) return std::unexpected(spec.error());
        if (auto mutable_only = model::check_immutable(jail->spec, *spec); !mutable_only) return mutable_only;
        if (auto allowed = authorize_spec(caller, jail->spec, *spec); !allowed) return allowed;
        if (auto whole = model::check_datasets(*spec); !whole) return whole;
        if (auto runs = check_ephemeral(jail->spec, *spec); !runs) return runs;
        if (asks_kernel(jail->spec, *spec)) {
            if (asks_kernel(verdict.from, jail->spec) || asks_kernel(verdict.to, *spec))
                return std::unexpected(verdict_outdated());
            if (!verdict.said) return verdict.said;
        }

        if (jail->spec.publish != spec->publish)
            if (auto free = check_ports(writer, jail->id, *spec); !free) return free;
        if (jail->spec != *spec)
            if (auto enforced = check_denied(writer, jail->id, jail->name, *spec); !enforced) return enforced;
        accepted = Accepted{.jail = *jail, .operation = {}};
        const bool same = *spec == jail->spec;
        auto updated = same ? std::move(jail) : writer.update_jail(jail->id, *spec);
        if (!updated) return std::unexpected(updated.error());
        // What an earlier change left waiting is applied too.
        const bool restarts = restart && wants_restart(accepted->jail, *updated);
        if (restarts) updated = writer.request_restart(updated->id);
        if (!updated) return std::unexpected(updated.error());
        accepted->jail = *std::move(updated);
        if (dry_run == DryRun::yes) return undo_dry_run();
        if (same && !restarts) return {};
        const Change change{.kind = "update", .event = "jail.changed", .action = "jail.change"};
        auto operation = write_change(writer, caller, same ? kRestart : change, accepted->jail);
        if (!operation) return std::unexpected(operation.error());
        accepted->operation = *std::move(operation);
        return {};
    });
}

Result<Accepted> Supervisor::Impl::change_spec(const Caller& caller, const model::Name& name, const MakeSpec& make_spec,
                                               const Precondition& precondition, bool restart, DryRun dry_run) {
    for (int attempt = 1;; ++attempt) {
        std::optional<Accepted> accepted;
        auto written = write_spec(caller, name, make_spec, precondition, restart, dry_run, accepted);
        const bool outdated = !written && written.error().op == kJudge;
        if (!outdated || attempt == kVerdicts) return finish(std::move(written), std::move(accepted), dry_run);
    }
}

Result<Accepted> Supervisor::patch(const Caller& caller, model::Name name, nlohmann::json patch,
                                   Precondition precondition, bool restart, DryRun dry_run) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.change"); !allowed)
        return std::unexpected(allowed.error());
    const auto merged = [&](const model::JailSpec& current) { return model::merge_patch(current, patch); };
    return impl_->change_spec(caller, name, merged, precondition, restart, dry_run);
}

Result<Accepted> Supervisor::replace(const Caller& caller, model::Name name, nlohmann::json spec,
                                     Precondition precondition, bool restart, DryRun dry_run) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.change"); !allowed)
        return std::unexpected(allowed.error());
    if (auto named = spec.find("name"); spec.is_object() && named != spec.end()) {
        if (*named != name.text())
            return std::unexpected(
                Error::invalid("name_mismatch", "/name", "the name differs from the one in the path"));
        spec.erase(named);
    }
    if (impl_->cache.find(name)) {
        if (!precondition.if_match && !precondition.if_none_match)
            return std::unexpected(Error{.code = Errc::invalid,
                                         .op = "replace",
                                         .detail = fmt::format("jail \"{}\" exists; PUT needs If-Match", name.text()),
                                         .reason = "precondition_required",
                                         .remedy = "send the ETag that GET answered, or use PATCH"});
        const auto replaced = [&](const model::JailSpec& current) { return model::replace(current, spec); };
        return impl_->change_spec(caller, name, replaced, precondition, restart, dry_run);
    }
    if (precondition.if_match)
        return std::unexpected(Error{.code = Errc::stale,
                                     .op = "replace",
                                     .detail = fmt::format("there is no jail \"{}\" to match", name.text()),
                                     .reason = "etag_mismatch"});
    auto parsed = model::parse_spec(spec);
    if (!parsed) return std::unexpected(parsed.error());
    return create(caller, {.name = std::move(name), .spec = *std::move(parsed)}, dry_run, {});
}

Result<Accepted> Supervisor::restart(const Caller& caller, model::Name name, Precondition precondition, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.restart"); !allowed)
        return std::unexpected(allowed.error());
    std::optional<Accepted> accepted;
    auto written = impl_->store.write([&](store::Writer& writer) -> Result<void> {
        auto known = replayed(writer, caller, retry);
        if (!known) return std::unexpected(known.error());
        if (*known) {
            accepted = **std::move(known);
            return {};
        }
        auto jail = writer.jail(name);
        if (!jail) return std::unexpected(jail.error());
        if (auto there = check_not_removing(*jail); !there) return there;
        if (auto same = check_preconditions(*jail, precondition); !same) return same;
        if (!jail->spec.running)
            return std::unexpected(Error{.code = Errc::conflict,
                                         .op = "restart",
                                         .detail = fmt::format("jail \"{}\" is stopped", name.text()),
                                         .reason = "jail_stopped",
                                         .remedy = fmt::format("start it: jaildctl start {}", name.text())});
        auto again = writer.request_restart(jail->id);
        if (!again) return std::unexpected(again.error());
        accepted = Accepted{.jail = *std::move(again), .operation = {}};
        return impl_->begin_change(writer, caller, Impl::kRestart, retry, *accepted);
    });
    return impl_->finish(std::move(written), std::move(accepted), DryRun::no);
}

Result<Accepted> Supervisor::remove(const Caller& caller, model::Name name, Precondition precondition, bool force,
                                    DryRun dry_run) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.remove"); !allowed)
        return std::unexpected(allowed.error());
    std::optional<Accepted> accepted;
    auto written = impl_->store.write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.jail(name);
        if (!jail) return std::unexpected(jail.error());
        if (auto current = check_preconditions(*jail, precondition); !current) return current;
        if (jail->removing) {
            auto running = running_operation(writer, jail->id, "remove");
            if (!running) return std::unexpected(running.error());
            if (!running->empty()) {
                accepted = Accepted{.jail = *jail, .operation = *std::move(running), .replayed = true};
                return {};
            }
        }
        const auto state = impl_->reconciler.status(*jail).state;
        if (!jail->removing && !force && !jail->unpacking() &&
            (jail->spec.running || state == model::JailState::running || state == model::JailState::stopping))
            return std::unexpected(Error{
                .code = Errc::conflict,
                .op = "remove",
                .detail = fmt::format("jail \"{}\" is {}", name.text(), model::to_string(state)),
                .reason = "jail_running",
                .remedy = fmt::format("stop it first (jaildctl stop {0}), or force: jaildctl rm -f {0}", name.text())});
        if (auto free = writer.check_snapshots_free(jail->id); !free) return free;
        auto going = writer.mark_removing(jail->id);
        if (!going) return std::unexpected(going.error());
        accepted = Accepted{.jail = *std::move(going), .operation = {}};
        if (dry_run == DryRun::yes) return undo_dry_run();
        auto operation = impl_->write_change(
            writer, caller, {.kind = "remove", .event = "jail.removing", .action = "jail.remove"}, accepted->jail);
        if (!operation) return std::unexpected(operation.error());
        accepted->operation = *std::move(operation);
        return {};
    });
    if (written && dry_run == DryRun::no) impl_->interrupt_snapshots(accepted->jail.id);
    if (written && dry_run == DryRun::no) impl_->imports.interrupt(accepted->jail.id);
    return impl_->finish(std::move(written), std::move(accepted), dry_run);
}

Result<model::Operation> Supervisor::cancel(const Caller& caller, const std::string& id) {
    if (auto allowed = authorize(caller, Role::operator_, "operation.cancel"); !allowed)
        return std::unexpected(allowed.error());
    auto cancelled =
        store::write<model::Operation>(impl_->store, [&](store::Writer& writer) -> Result<model::Operation> {
            auto operation = writer.operation(id);
            if (!operation) return operation;
            if (operation->state != model::OperationState::running)
                return std::unexpected(
                    Error{.code = Errc::conflict,
                          .op = "cancel",
                          .detail = fmt::format("operation {} has {} already", id, model::to_string(operation->state)),
                          .reason = "operation_finished"});
            operation->state = model::OperationState::cancelled;
            operation->finished_at = impl_->clock.utc();
            if (auto updated = writer.update_operation(*operation); !updated) return std::unexpected(updated.error());
            auto event = writer.append_event("operation.cancelled", operation->jail_name, id, "{}");
            if (!event) return std::unexpected(event.error());
            auto audited = writer.append_audit(
                {.principal = caller.principal, .action = "operation.cancel", .object = id, .outcome = "accepted"});
            if (!audited) return std::unexpected(audited.error());
            return operation;
        });
    if (cancelled && cancelled->template_id.value != 0) impl_->engine.interrupt(cancelled->template_id);
    if (cancelled && cancelled->kind == "import") impl_->imports.interrupt(cancelled->jail);
    if (cancelled && cancelled->snapshot_id.value != 0) impl_->snapshots.interrupt(cancelled->snapshot_id);
    return cancelled;
}

}  // namespace jaild
