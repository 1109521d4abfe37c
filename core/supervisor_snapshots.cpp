#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/supervisor_impl.h"

/// Snapshots: reads and changes.
namespace jaild {
namespace {

using model::Snapshot;
using model::SnapshotState;

Error conflict(std::string detail, std::string_view reason, std::string remedy) {
    return Error{.code = Errc::conflict,
                 .op = "snapshot",
                 .detail = std::move(detail),
                 .reason = reason,
                 .remedy = std::move(remedy)};
}

}  // namespace

Result<void> check_ready(const Snapshot& snapshot) {
    if (snapshot.reason == model::SnapshotReason::transfer)
        return std::unexpected(
            conflict(fmt::format("snapshot {} goes when the export ends that it is of", snapshot.reference()),
                     "snapshot_not_ready", "take one of your own: `jaildctl snapshot create`"));
    if (snapshot.state == SnapshotState::ready) return {};
    return std::unexpected(
        conflict(fmt::format("snapshot {} is {}", snapshot.reference(),
                             snapshot.state == SnapshotState::creating ? "still being taken" : "being removed"),
                 "snapshot_not_ready", "name one that is ready: `jaildctl snapshot ls`"));
}

namespace {

/// What a jail made from another's snapshot is, before its maker says more: nothing that only one can have.
model::JailSpec without_own(model::JailSpec spec) {
    spec.publish.clear();
    spec.hostname.clear();
    spec.datasets.clear();
    if (spec.network.mode == model::NetworkMode::alias) return spec;
    for (auto& interface : spec.network.interfaces) {
        interface.addresses.clear();
        interface.mac.clear();
    }
    return spec;
}

}  // namespace

Result<void> check_root_free(const model::Jail& jail) {
    const auto& name = jail.name.text();
    if (jail.removing)
        return std::unexpected(conflict(fmt::format("jail \"{}\" is being removed", name), "jail_removing", {}));
    if (jail.spec.root.kind == model::RootKind::path)
        return std::unexpected(
            Error{.code = Errc::unsupported,
                  .op = "snapshot",
                  .detail = fmt::format("the root of jail \"{}\" is a directory of yours: jaild takes "
                                        "no snapshots of it",
                                        name),
                  .reason = "path_root",
                  .remedy = "use the snapshots of its file system"});
    if (jail.root_change)
        return std::unexpected(
            conflict(fmt::format("the root of jail \"{}\" is just being changed to {}", name, jail.root_change->name),
                     "root_changing", "ask again when that is done"));
    return {};
}

Result<void> check_none_under_way(store::Reader& reader, const model::Jail& jail) {
    auto there = reader.snapshots(jail.id);
    if (!there) return std::unexpected(there.error());
    const auto creating = std::ranges::find(*there, SnapshotState::creating, &Snapshot::state);
    if (creating == there->end()) return {};
    return std::unexpected(conflict(fmt::format("snapshot {} is just being taken", creating->reference()),
                                    "snapshot_under_way", "ask again when it is ready"));
}

std::string free_snapshot_name(store::Reader& reader, const model::Jail& jail, const std::string& wanted) {
    auto there = reader.snapshots(jail.id);
    auto name = wanted;
    if (!there) return name;  // the insertion meets the same error
    for (int number = 2; std::ranges::find(*there, name, &Snapshot::name) != there->end(); ++number)
        name = fmt::format("{}-{}", wanted, number);
    return name;
}

Snapshot snapshot_of(const model::Jail& jail, std::string name, model::SnapshotReason reason) {
    return {.id = {},
            .jail = jail.id,
            .jail_name = jail.name.text(),
            .name = std::move(name),
            .reason = reason,
            .template_name = jail.spec.template_name,
            .base = jail.base ? jail.base->id : TemplateId{},
            .size = {}};
}

Result<AcceptedSnapshot> Supervisor::Impl::write_snapshot_change(store::Writer& writer, const Caller& caller,
                                                                 const Snapshot& value, std::string_view what,
                                                                 std::string_view happened, const Retry& retry) {
    auto operation = writer.insert_operation({.id = {},
                                              .kind = fmt::format("snapshot.{}", what),
                                              .jail = value.jail,
                                              .jail_name = value.jail_name,
                                              .snapshot_id = value.id,
                                              .snapshot_name = value.reference()});
    if (!operation) return std::unexpected(operation.error());
    const nlohmann::json data{{"snapshot", value.reference()}, {"by", caller.principal}};
    auto event = writer.append_event(fmt::format("snapshot.{}", happened), value.jail_name, operation->id, data.dump());
    if (!event) return std::unexpected(event.error());
    auto audited = writer.append_audit({.principal = caller.principal,
                                        .action = fmt::format("snapshot.{}", what),
                                        .object = value.reference(),
                                        .outcome = "accepted"});
    if (!audited) return std::unexpected(audited.error());
    if (!retry.key.empty()) {
        auto kept = writer.remember(caller.principal, retry.key,
                                    {.fingerprint = retry.fingerprint, .operation = operation->id});
        if (!kept) return std::unexpected(kept.error());
    }
    return AcceptedSnapshot{.snapshot = value, .operation = operation->id};
}

Result<std::optional<AcceptedSnapshot>> Supervisor::Impl::kept_snapshot(store::Reader& reader, const Caller& caller,
                                                                        const Retry& retry) const {
    const auto kept = kept_under(reader, caller, retry);
    if (!kept) return std::unexpected(kept.error());
    if (!*kept) return std::nullopt;
    auto operation = reader.operation(**kept);
    if (!operation) return std::unexpected(operation.error());
    auto value = reader.find_snapshot(operation->snapshot_id);
    if (!value && value.error().code == Errc::not_found)
        return std::unexpected(conflict(
            fmt::format(
                "the request under this Idempotency-Key was done before, as operation {}, which {}; there is no "
                "snapshot {} any more",
                operation->id, model::to_string(operation->state), operation->snapshot_name),
            "idempotency_key_spent", "use a new key to do it once more"));
    if (!value) return std::unexpected(value.error());
    return AcceptedSnapshot{.snapshot = *std::move(value), .operation = operation->id, .replayed = true};
}

Result<std::vector<Snapshot>> Supervisor::snapshots(const Caller& caller, const std::optional<model::Name>& jail) {
    if (auto allowed = authorize(caller, Role::viewer, "snapshot.list"); !allowed)
        return std::unexpected(allowed.error());
    return store::read<std::vector<Snapshot>>(impl_->store,
                                              [&](store::Reader& reader) -> Result<std::vector<Snapshot>> {
                                                  if (!jail) return reader.snapshots();
                                                  auto row = reader.jail(*jail);
                                                  if (!row) return std::unexpected(row.error());
                                                  return reader.snapshots(row->id);
                                              });
}

Result<Snapshot> Supervisor::get_snapshot(const Caller& caller, const model::Name& jail, const std::string& name) {
    if (auto allowed = authorize(caller, Role::viewer, "snapshot.get"); !allowed)
        return std::unexpected(allowed.error());
    return store::read<Snapshot>(impl_->store, [&](store::Reader& reader) -> Result<Snapshot> {
        auto row = reader.jail(jail);
        if (!row) return std::unexpected(row.error());
        return reader.find_snapshot(row->id, name);
    });
}

Result<AcceptedSnapshot> Supervisor::create_snapshot(const Caller& caller, const model::Name& jail,
                                                     model::SnapshotRequest request, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "snapshot.create"); !allowed)
        return std::unexpected(allowed.error());
    auto row = get(caller, jail);
    if (!row) return std::unexpected(row.error());
    auto prepared = impl_->kernel.roots().prepared(row->id);
    if (!prepared) return std::unexpected(prepared.error());
    auto accepted =
        store::write<AcceptedSnapshot>(impl_->store, [&](store::Writer& writer) -> Result<AcceptedSnapshot> {
            auto known = impl_->kept_snapshot(writer, caller, retry);
            if (!known) return std::unexpected(known.error());
            if (*known) return **std::move(known);
            auto current = writer.jail(jail);
            if (!current) return std::unexpected(current.error());
            if (auto whole = check_root_free(*current); !whole) return std::unexpected(whole.error());
            if (!*prepared)
                return std::unexpected(conflict(fmt::format("jail \"{}\" has no root yet", jail.text()),
                                                "root_not_made",
                                                fmt::format("start it: jaildctl start {}", jail.text())));
            auto wanted = snapshot_of(
                *current,
                request.name.empty() ? free_snapshot_name(writer, *current, model::snapshot_name_of(impl_->clock.utc()))
                                     : request.name,
                model::SnapshotReason::request);
            wanted.description = request.description;
            auto made = writer.insert_snapshot(wanted);
            if (!made) return std::unexpected(made.error());
            return Impl::write_snapshot_change(writer, caller, *made, "create", "creating", retry);
        });
    if (accepted && !accepted->replayed) impl_->snapshots.take(accepted->snapshot);
    return accepted;
}

Result<AcceptedSnapshot> Supervisor::remove_snapshot(const Caller& caller, const model::Name& jail,
                                                     const std::string& name) {
    if (auto allowed = authorize(caller, Role::operator_, "snapshot.remove"); !allowed)
        return std::unexpected(allowed.error());
    auto accepted =
        store::write<AcceptedSnapshot>(impl_->store, [&](store::Writer& writer) -> Result<AcceptedSnapshot> {
            auto row = writer.jail(jail);
            if (!row) return std::unexpected(row.error());
            auto value = writer.find_snapshot(row->id, name);
            if (!value) return std::unexpected(value.error());
            if (value->state == SnapshotState::creating) return std::unexpected(check_ready(*value).error());
            auto running = writer.running_operations(value->id);
            if (!running) return std::unexpected(running.error());
            const bool going = value->state == SnapshotState::removing;
            if (going && !running->empty())
                return AcceptedSnapshot{
                    .snapshot = *std::move(value), .operation = running->front().id, .replayed = true};
            auto removing = writer.mark_snapshot_removing(value->id);
            if (!removing) return std::unexpected(removing.error());
            auto written = Impl::write_snapshot_change(writer, caller, *removing, "remove", "removing", {});
            // One that is on its way already, with nobody waiting for it, ends the new operation too.
            if (written) written->replayed = going;
            return written;
        });
    if (accepted && !accepted->replayed) impl_->snapshots.remove(accepted->snapshot);
    return accepted;
}

Result<Accepted> Supervisor::restore_snapshot(const Caller& caller, const model::Name& name,
                                              const std::string& snapshot, Precondition precondition, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "snapshot.restore"); !allowed)
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
        if (auto whole = check_root_free(*jail); !whole) return whole;
        if (auto same = check_preconditions(*jail, precondition); !same) return same;
        auto from = writer.find_snapshot(jail->id, snapshot);
        if (!from) return std::unexpected(from.error());
        if (auto ready = check_ready(*from); !ready) return ready;
        if (auto free = check_none_under_way(writer, *jail); !free) return free;
        auto kept = writer.insert_snapshot(snapshot_of(
            *jail, free_snapshot_name(writer, *jail, "restore-" + model::snapshot_name_of(impl_->clock.utc())),
            model::SnapshotReason::restore));
        if (!kept) return std::unexpected(kept.error());
        auto changed = writer.change_root(
            jail->id, {.from = from->id, .name = from->reference(), .from_jail = jail->id, .keep = kept->id}, *from);
        if (!changed) return std::unexpected(changed.error());
        accepted = Accepted{.jail = *std::move(changed), .operation = {}};
        const Impl::Change change{.kind = "snapshot.restore",
                                  .event = "jail.restoring",
                                  .action = "snapshot.restore",
                                  .snapshot = from->reference()};
        return impl_->begin_change(writer, caller, change, retry, *accepted);
    });
    return impl_->finish(std::move(written), std::move(accepted), DryRun::no);
}

Result<Accepted> Supervisor::clone_snapshot(const Caller& caller, const model::Name& jail, const std::string& snapshot,
                                            model::Name name, nlohmann::json changes, Retry retry) {
    auto source = get_snapshot(caller, jail, snapshot);
    if (!source) return std::unexpected(source.error());
    if (auto ready = check_ready(*source); !ready) return std::unexpected(ready.error());
    auto original = get(caller, jail);
    if (!original) return std::unexpected(original.error());
    auto spec = without_own(original->spec);
    spec.template_name = source->template_name;
    auto merged = model::merge_patch(spec, changes);
    if (!merged) return std::unexpected(merged.error());
    if (auto same = model::check_immutable(spec, *merged); !same) return std::unexpected(same.error());
    return impl_->create(caller, {.name = std::move(name), .spec = *std::move(merged)}, DryRun::no, std::move(retry),
                         Impl::RootSource(*std::move(source)));
}

void Supervisor::Impl::interrupt_snapshots(JailId jail) {
    auto there =
        store::read<std::vector<Snapshot>>(store, [&](store::Reader& reader) { return reader.snapshots(jail); });
    if (!there) return;
    for (const auto& one : *there)
        if (one.state == SnapshotState::creating) snapshots.interrupt(one.id);
}

}  // namespace jaild
