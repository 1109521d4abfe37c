#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/random.h"
#include "core/jobs/end_operation.h"
#include "core/supervisor_impl.h"

/// Pools: jails of one kind that are kept ready.
namespace jaild {
namespace {

/// What an Idempotency-Key is kept with, in the place of an operation.
constexpr std::string_view kKeptPool = "pool:";
constexpr std::uint64_t kNames = 2'821'109'907'456ULL;  // 36^8

Result<void> tell_of_pool(store::Writer& writer, const Caller& caller, const model::Pool& pool, std::string_view what,
                          std::string_view happened) {
    const nlohmann::json data{{"pool", pool.name.text()}, {"size", pool.spec.size}, {"by", caller.principal}};
    auto event = writer.append_event(fmt::format("pool.{}", happened), "", "", data.dump());
    if (!event) return std::unexpected(event.error());
    return writer.append_audit({.principal = caller.principal,
                                .action = fmt::format("pool.{}", what),
                                .object = pool.name.text(),
                                .outcome = "accepted"});
}

/// "pool-NAME-" and eight letters and digits, cut to what a jail's name may have.
Result<model::Name> name_for(const std::string& prefix) {
    constexpr std::size_t most = 54;
    return model::Name::parse(prefix.substr(0, most) + "-" + to_base36(random_below(kNames)));
}

const Caller& keeper() {
    static const Caller caller{.principal = "jaild", .role = Role::admin};
    return caller;
}

}  // namespace

Result<void> check_not_pooled(const model::Jail& jail) {
    if (!jail.pool || jail.removing) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "pool",
                                 .detail = fmt::format("jail \"{}\" waits in pool \"{}\" for whoever takes it",
                                                       jail.name.text(), jail.pool->name),
                                 .reason = "jail_in_pool",
                                 .remedy = fmt::format("jaildctl run --pool {} -- COMMAND", jail.pool->name)});
}

void Supervisor::Impl::keep_pools() {
    pools.emplace(clock, PoolKeeper::Ports{.pools =
                                               [this] {
                                                   return store::read<std::vector<model::Pool>>(
                                                       store, [](store::Reader& reader) { return reader.pools(); });
                                               },
                                           .jails =
                                               [this] {
                                                   auto rows = cache.all();
                                                   std::erase_if(rows,
                                                                 [](const model::Jail& row) { return !row.pool; });
                                                   for (auto& row : rows) row.status = reconciler.status(row);
                                                   return rows;
                                               },
                                           .make = [this](const model::Pool& pool) { return fill_pool(pool); },
                                           .remove = [this](const model::Jail& jail) { drain_pool(jail); }});
    pools->start();
}

Result<void> Supervisor::Impl::fill_pool(const model::Pool& pool) {
    auto name = name_for("pool-" + pool.name.text());
    if (!name) return std::unexpected(name.error());
    auto made =
        create(keeper(), {.name = *std::move(name), .spec = pool.spec.jail}, DryRun::no, {}, OfTemplate{}, &pool);
    if (!made) return std::unexpected(made.error());
    return {};
}

void Supervisor::Impl::drain_pool(const model::Jail& jail) {
    const auto gone =
        store::write<std::optional<Accepted>>(store, [&](store::Writer& writer) -> Result<std::optional<Accepted>> {
            auto row = writer.jail(jail.id);
            if (!row && row.error().code == Errc::not_found) return std::nullopt;
            if (!row) return std::unexpected(row.error());
            // Somebody has taken it meanwhile.
            if (!row->pool || row->removing) return std::nullopt;
            auto going = writer.mark_removing(row->id);
            if (!going) return std::unexpected(going.error());
            const Change change{.kind = "remove", .event = "jail.removing", .action = "jail.remove", .snapshot = {}};
            auto operation = write_change(writer, keeper(), change, *going);
            if (!operation) return std::unexpected(operation.error());
            return Accepted{.jail = *std::move(going), .operation = *std::move(operation)};
        });
    if (gone && *gone) committed(**gone);
}

Result<std::vector<ShownPool>> Supervisor::pools(const Caller& caller) {
    if (auto allowed = authorize(caller, Role::viewer, "pool.list"); !allowed) return std::unexpected(allowed.error());
    auto all = store::read<std::vector<model::Pool>>(impl_->store, [](store::Reader& r) { return r.pools(); });
    if (!all) return std::unexpected(all.error());
    std::vector<ShownPool> shown;
    for (auto& pool : *all) shown.push_back(impl_->show(std::move(pool)));
    return shown;
}

ShownPool Supervisor::Impl::show(model::Pool pool) const {
    auto status = pools ? pools->status(pool) : model::PoolStatus{};
    return {.pool = std::move(pool), .status = std::move(status)};
}

Result<ShownPool> Supervisor::pool(const Caller& caller, const model::Name& name) {
    if (auto allowed = authorize(caller, Role::viewer, "pool.get"); !allowed) return std::unexpected(allowed.error());
    auto pool = store::read<model::Pool>(impl_->store, [&](store::Reader& reader) { return reader.pool(name); });
    if (!pool) return std::unexpected(pool.error());
    return impl_->show(*std::move(pool));
}

/// What one of its jails would be refused for is refused of the pool.
Result<void> Supervisor::Impl::check_pool(const Caller& caller, model::JailSpec from, model::JailSpec& spec) {
    if (auto allowed = authorize_spec(caller, from, spec); !allowed) return allowed;
    auto resolved =
        store::read<model::JailSpec>(store, [&](store::Reader& reader) { return reader.resolve_template(spec); });
    if (!resolved) {
        resolved.error().field = "/jail" + resolved.error().field;
        return std::unexpected(resolved.error());
    }
    auto possible = check_host(*resolved, "pool");
    if (!possible && !possible.error().field.empty()) possible.error().field = "/jail" + possible.error().field;
    return possible;
}

Result<ShownPool> Supervisor::create_pool(const Caller& caller, model::NamedPoolSpec asked, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "pool.create"); !allowed)
        return std::unexpected(allowed.error());
    if (auto possible = impl_->check_pool(caller, {}, asked.spec.jail); !possible)
        return std::unexpected(possible.error());
    bool replayed = false;
    auto made = store::write<model::Pool>(impl_->store, [&](store::Writer& writer) -> Result<model::Pool> {
        const auto kept = kept_under(writer, caller, retry);
        if (!kept) return std::unexpected(kept.error());
        if (*kept && (*kept)->starts_with(kKeptPool)) {
            const auto name = model::Name::parse((*kept)->substr(kKeptPool.size()));
            if (!name) return std::unexpected(name.error());
            replayed = true;
            return writer.pool(*name);
        }
        auto pool = writer.insert_pool(asked);
        if (!pool) return pool;
        if (auto told = tell_of_pool(writer, caller, *pool, "create", "created"); !told)
            return std::unexpected(told.error());
        if (!retry.key.empty()) {
            auto remembered = writer.remember(
                caller.principal, retry.key,
                {.fingerprint = retry.fingerprint, .operation = std::string(kKeptPool) + pool->name.text()});
            if (!remembered) return std::unexpected(remembered.error());
        }
        return pool;
    });
    if (!made) return std::unexpected(made.error());
    if (impl_->pools) impl_->pools->poke();
    auto shown = impl_->show(*std::move(made));
    shown.replayed = replayed;
    return shown;
}

Result<ShownPool> Supervisor::patch_pool(const Caller& caller, const model::Name& name, nlohmann::json patch) {
    if (auto allowed = authorize(caller, Role::operator_, "pool.change"); !allowed)
        return std::unexpected(allowed.error());
    const auto before = pool(caller, name);
    if (!before) return before;
    auto wanted = model::patch_pool(before->pool.spec, patch);
    if (!wanted) return std::unexpected(wanted.error());
    if (wanted->jail != before->pool.spec.jail)
        if (auto possible = impl_->check_pool(caller, before->pool.spec.jail, wanted->jail); !possible)
            return std::unexpected(possible.error());
    auto changed = store::write<model::Pool>(impl_->store, [&](store::Writer& writer) -> Result<model::Pool> {
        auto now = writer.pool(name);
        if (!now) return now;
        // What was checked is what is written.
        auto spec = model::patch_pool(now->spec, patch);
        if (!spec) return std::unexpected(spec.error());
        if (now->generation != before->pool.generation)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "patch_pool",
                                         .detail = "somebody else changes the pool at this moment",
                                         .reason = "pool_busy",
                                         .remedy = "try again"});
        if (*spec == now->spec) return now;
        auto updated = writer.update_pool(now->id, *spec);
        if (!updated) return updated;
        if (auto told = tell_of_pool(writer, caller, *updated, "change", "changed"); !told)
            return std::unexpected(told.error());
        return updated;
    });
    if (!changed) return std::unexpected(changed.error());
    if (impl_->pools) impl_->pools->poke();
    return impl_->show(*std::move(changed));
}

Result<void> Supervisor::remove_pool(const Caller& caller, const model::Name& name) {
    if (auto allowed = authorize(caller, Role::operator_, "pool.remove"); !allowed) return allowed;
    auto removed = impl_->store.write([&](store::Writer& writer) -> Result<void> {
        const auto found = writer.pool(name);
        if (!found) return std::unexpected(found.error());
        if (auto gone = writer.delete_pool(found->id); !gone) return gone;
        return tell_of_pool(writer, caller, *found, "remove", "removed");
    });
    if (removed && impl_->pools) impl_->pools->poke();
    return removed;
}

Result<std::optional<Accepted>> Supervisor::Impl::take_ready(const Caller& caller, const model::Pool& pool,
                                                             const Retry& retry) {
    for (const auto& row : cache.all()) {
        const bool ours = row.pool && row.pool->id == pool.id && row.pool->generation == pool.jail_generation;
        if (!ours || row.removing || reconciler.status(row).state != model::JailState::running) continue;
        std::optional<Accepted> taken;
        auto written = store.write([&](store::Writer& writer) -> Result<void> {
            auto known = replayed(writer, caller, retry);
            if (!known) return std::unexpected(known.error());
            if (*known) {
                taken = **std::move(known);
                return {};
            }
            auto now = writer.jail(row.id);
            if (!now && now.error().code == Errc::not_found) return {};
            if (!now) return std::unexpected(now.error());
            if (!now->pool || now->pool->generation != pool.jail_generation || now->removing) return {};
            auto jail = writer.take_from_pool(now->id);
            if (!jail) return std::unexpected(jail.error());
            taken = Accepted{.jail = *std::move(jail), .operation = {}};
            const Change change{.kind = "take", .event = "jail.taken", .action = "jail.take", .snapshot = {}};
            if (auto begun = begin_change(writer, caller, change, retry, *taken); !begun) return begun;
            auto operation = writer.operation(taken->operation);
            if (!operation) return std::unexpected(operation.error());
            return jobs::end_operation(writer, *std::move(operation), model::OperationState::succeeded, std::nullopt,
                                       {}, clock.utc());
        });
        if (!written) return std::unexpected(written.error());
        if (taken) return taken;
    }
    return std::nullopt;
}

Result<Supervisor::Taken> Supervisor::take(const Caller& caller, const model::Name& name, Retry retry) {
    if (auto allowed = authorize(caller, Role::operator_, "pool.take"); !allowed)
        return std::unexpected(allowed.error());
    auto& impl = *impl_;
    auto before = store::read<std::optional<Accepted>>(
        impl.store, [&](store::Reader& reader) { return replayed(reader, caller, retry); });
    if (!before) return std::unexpected(before.error());
    if (*before) {
        auto operation = this->operation(caller, (*before)->operation);
        const bool ready = operation && operation->kind == "take";
        (*before)->jail = impl.with_status(std::move((*before)->jail));
        return Taken{.accepted = **std::move(before), .ready = ready};
    }
    const auto pool = store::read<model::Pool>(impl.store, [&](store::Reader& reader) { return reader.pool(name); });
    if (!pool) return std::unexpected(pool.error());
    auto ready = impl.take_ready(caller, *pool, retry);
    if (!ready) return std::unexpected(ready.error());
    if (impl.pools) impl.pools->poke();
    if (*ready) {
        impl.cache.put((*ready)->jail);
        impl.reconciler.poke((*ready)->jail.id);
        (*ready)->jail = impl.with_status(std::move((*ready)->jail));
        return Taken{.accepted = **std::move(ready), .ready = true};
    }
    // Whoever made the pool was asked what its jails may have.
    auto own = name_for(pool->name.text());
    if (!own) return std::unexpected(own.error());
    auto made = impl.create({.principal = caller.principal, .role = Role::admin},
                            {.name = *std::move(own), .spec = pool->spec.jail}, DryRun::no, std::move(retry),
                            Impl::OfTemplate{}, nullptr);
    if (!made) return std::unexpected(made.error());
    return Taken{.accepted = *std::move(made), .ready = false};
}

}  // namespace jaild
