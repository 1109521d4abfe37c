#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "core/reconcile/observe.h"
#include "core/supervisor_impl.h"

/// Upgrades: another version of its template for a jail, and back.
namespace jaild {
namespace {

using model::Snapshot;

Error no_versions(const model::Jail& jail) {
    const bool host = jail.spec.template_name == "host";
    return Error{.code = Errc::conflict,
                 .op = "upgrade",
                 .detail = host ? fmt::format("jail \"{}\" is made from template host, which is upgraded with the host",
                                              jail.name.text())
                                : fmt::format("the root of jail \"{}\" is made from no template", jail.name.text()),
                 .reason = "no_template_version"};
}

/// Of the template that the jail has.
Result<model::Template> target_of(store::Reader& reader, const model::Jail& jail, const model::TemplateRef& to) {
    if (!jail.base) return std::unexpected(no_versions(jail));
    const auto now = model::TemplateRef::parse(jail.spec.template_name);
    if (!now) return std::unexpected(now.error());
    if (now->name().key() != to.name().key())
        return std::unexpected(Error{
            .code = Errc::invalid,
            .op = "upgrade",
            .detail = fmt::format("jail \"{}\" is made from template {}: an upgrade is to another version of that one",
                                  jail.name.text(), now->text()),
            .reason = "another_template",
            .field = "/template",
            .remedy = "make a new jail from the other template"});
    auto found = reader.find_template(to);
    if (!found && found.error().code == Errc::not_found)
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "upgrade",
                                     .detail = found.error().detail,
                                     .reason = "template_unknown",
                                     .field = "/template",
                                     .remedy = found.error().remedy});
    if (!found) return found;
    if (found->state == model::TemplateState::ready) return found;
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "upgrade",
              .detail = fmt::format("template {} is {}", found->reference(), model::to_string(found->state)),
              .reason = "template_not_ready",
              .field = "/template",
              .remedy = "name one that is ready: `jaildctl template ls`"});
}

kernel::RootUpgrade upgrade_to(const model::Jail& jail, const model::Template& to) {
    return {.jail = jail.id,
            .kind = jail.spec.root.kind,
            .from = jail.base->id,
            .to = {.id = to.id, .private_parts = to.private_parts},
            .mark = {}};
}

}  // namespace

Result<Accepted> Supervisor::Impl::try_upgrade(const model::Name& name, const model::TemplateRef& to) {
    model::Jail jail{.id = {}, .name = name, .spec = {}, .created_at = {}, .interfaces = {}, .status = {}};
    auto target = store::read<model::Template>(store, [&](store::Reader& reader) -> Result<model::Template> {
        auto row = reader.jail(name);
        if (!row) return std::unexpected(row.error());
        jail = *std::move(row);
        if (auto whole = check_root_free(jail); !whole) return std::unexpected(whole.error());
        return target_of(reader, jail, to);
    });
    if (!target) return std::unexpected(target.error());
    Accepted accepted{.jail = with_status(jail), .operation = {}};
    if (target->id == jail.base->id) return accepted;
    auto report = kernel.root_upgrades().try_upgrade(upgrade_to(jail, *target));
    if (!report) return std::unexpected(report.error());
    accepted.plan = reconcile::lines_of(*report);
    return accepted;
}

Result<Accepted> Supervisor::upgrade(const Caller& caller, const model::Name& name, const model::TemplateRef& to,
                                     Precondition precondition, DryRun dry_run, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.upgrade"); !allowed)
        return std::unexpected(allowed.error());
    if (dry_run == DryRun::yes) return impl_->try_upgrade(name, to);
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
        if (auto same = check_preconditions(*jail, precondition); !same) return same;
        if (auto whole = check_root_free(*jail); !whole) return whole;
        auto target = target_of(writer, *jail, to);
        if (!target) return std::unexpected(target.error());
        accepted = Accepted{.jail = *jail, .operation = {}};
        if (target->id == jail->base->id) return {};
        if (auto free = check_none_under_way(writer, *jail); !free) return free;
        auto kept = writer.insert_snapshot(snapshot_of(
            *jail, free_snapshot_name(writer, *jail, "upgrade-" + model::snapshot_name_of(impl_->clock.utc())),
            model::SnapshotReason::upgrade));
        if (!kept) return std::unexpected(kept.error());
        auto begun = writer.begin_upgrade(jail->id,
                                          {.stage = model::RootStage::snapshot,
                                           .from = kept->id,
                                           .name = target->reference(),
                                           .from_jail = jail->id,
                                           .keep = kept->id,
                                           .base = jail->base->id},
                                          *target);
        if (!begun) return std::unexpected(begun.error());
        accepted->jail = *std::move(begun);
        const Impl::Change change{
            .kind = "upgrade", .event = "jail.upgrading", .action = "jail.upgrade", .snapshot = kept->reference()};
        return impl_->begin_change(writer, caller, change, retry, *accepted);
    });
    return impl_->finish(std::move(written), std::move(accepted), DryRun::no);
}

Result<Accepted> Supervisor::roll_back(const Caller& caller, const model::Name& name, Precondition precondition,
                                       Retry retry) {
    auto there = snapshots(caller, name);
    if (!there) return std::unexpected(there.error());
    const auto before_upgrade = [](const Snapshot& one) {
        return one.reason == model::SnapshotReason::upgrade && one.state == model::SnapshotState::ready;
    };
    const auto newest = std::ranges::find_if(*there | std::views::reverse, before_upgrade);
    if (newest == std::ranges::rend(*there))
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "rollback",
                  .detail = fmt::format("jail \"{}\" has no snapshot of before an upgrade", name.text()),
                  .reason = "no_upgrade",
                  .remedy = fmt::format("`jaildctl snapshot ls {}` lists all snapshots", name.text())});
    return restore_snapshot(caller, name, newest->name, std::move(precondition), std::move(retry));
}

}  // namespace jaild
