#include "core/supervisor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/subnet.h"
#include "core/supervisor_impl.h"

namespace jaild {
namespace {

constexpr std::size_t kCatchUpBatch = 256;

Error jail_not_found(const model::Name& name) {
    return Error{.code = Errc::not_found,
                 .op = "get",
                 .detail = fmt::format("there is no jail \"{}\"", name.text()),
                 .reason = "jail_not_found",
                 .remedy = "`jaildctl ls` lists all jails"};
}

Error jail_removing(const model::Jail& jail) {
    return Error{.code = Errc::conflict,
                 .op = "exec",
                 .detail = fmt::format("jail \"{}\" is being removed", jail.name.text()),
                 .reason = "jail_removing"};
}

/// A program that keeps an ephemeral jail from going.
class HeldProgram final : public kernel::RunningProgram {
public:
    HeldProgram(reconcile::Lifetimes::Hold hold, std::unique_ptr<kernel::RunningProgram> program)
        : hold_(std::move(hold)), program_(std::move(program)) {}
    [[nodiscard]] int descriptor() const override { return program_->descriptor(); }
    Result<kernel::ProgramExit> wait() override { return program_->wait(); }
    Result<void> kill(int signal) override { return program_->kill(signal); }
    UniqueFd take_terminal() override { return program_->take_terminal(); }

private:
    reconcile::Lifetimes::Hold hold_;
    std::unique_ptr<kernel::RunningProgram> program_;  ///< ends before the hold does
};

/// "freebsd" is every version of it.
bool is_template(const std::string& name, const std::string& wanted) {
    return name == wanted || (name.starts_with(wanted) && name.substr(wanted.size()).starts_with(':'));
}

}  // namespace

bool matches(const model::Jail& jail, const JailQuery& query) {
    if (query.state && jail.status.state != *query.state) return false;
    if (query.template_name && !is_template(jail.spec.template_name, *query.template_name)) return false;
    return std::all_of(query.labels.begin(), query.labels.end(), [&](const auto& wanted) {
        const auto label = jail.spec.labels.find(wanted.first);
        return label != jail.spec.labels.end() && label->second == wanted.second;
    });
}

Result<void> check_alive(const model::Jail& jail, std::string_view op) {
    const bool lives = jail.status.jid != 0 || jail.status.pid != 0;
    const auto state = jail.status.state;
    if (state == model::JailState::running || (state == model::JailState::failed && lives)) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = op,
                                 .detail = fmt::format("jail \"{}\" is {}", jail.name.text(), model::to_string(state)),
                                 .reason = "jail_not_running",
                                 .remedy = fmt::format("start it: jaildctl start {}", jail.name.text())});
}

Result<void> authorize(const Caller& caller, Role needed, std::string_view action) {
    if (caller.role >= needed) return {};
    return std::unexpected(Error{.code = Errc::denied,
                                 .op = "authorize",
                                 .detail = fmt::format("{} may not do {}", caller.principal, action),
                                 .reason = "role_too_low",
                                 .remedy = needed == Role::admin ? "ask as root, or with an admin's token"
                                                                 : "ask as root, or with an operator's token"});
}

Supervisor::Impl::Impl(store::Store& store_, kernel::Kernel& kernel_, reconcile::Reconciler& reconciler_, Clock& clock_,
                       templates::Options templates_)
    : store(store_),
      kernel(kernel_),
      reconciler(reconciler_),
      clock(clock_),
      archives(templates_),
      engine(store_, kernel_.template_trees(), kernel_.root_transfers(), clock_, std::move(templates_)),
      snapshots(store_, kernel_, clock_) {
    store.on_events([this](EventSeq newest) {
        const std::lock_guard lock(events_mutex_);
        newest_ = newest;
        events_changed_.notify_one();
    });
}

Supervisor::Impl::~Impl() {
    pools.reset();
    store.on_events({});
    {
        const std::lock_guard lock(events_mutex_);
        stopping_ = true;
        events_changed_.notify_one();
    }
    if (follower_.joinable()) follower_.join();
}

void Supervisor::Impl::forward_events(std::function<void(EventSeq)> listener) {
    const std::lock_guard lock(events_mutex_);
    listener_ = std::move(listener);
}

void Supervisor::Impl::follow_events() {
    EventSeq told{};
    std::unique_lock lock(events_mutex_);
    while (true) {
        events_changed_.wait(lock, [&] { return stopping_ || newest_ > told; });
        if (stopping_) return;
        told = newest_;
        const auto listener = listener_;
        lock.unlock();
        catch_up();
        if (listener) listener(told);
        lock.lock();
    }
}

Result<void> Supervisor::Impl::prepare() {
    auto host = kernel.host().facts();
    if (!host) return std::unexpected(host.error());
    facts = *std::move(host);
    facts.instance = store.instance().text();
    facts.version = JAILD_VERSION;

    auto last = store::read<EventSeq>(store, [](store::Reader& reader) { return reader.last_event(); });
    if (!last) return std::unexpected(last.error());
    seen_ = *last;
    auto rows = store::read<std::vector<model::Jail>>(store, [](store::Reader& reader) { return reader.all_jails(); });
    if (!rows) return std::unexpected(rows.error());
    if (auto cleared = kernel.root_transfers().clear(); !cleared)
        spdlog::warn("what is left of exports and imports: {}", cleared.error().to_string());
    if (auto ended = end_imports(*rows); !ended) return ended;
    for (const auto& row : *rows) cache.put(row);
    follower_ = std::thread([this] { follow_events(); });
    if (auto prepared = prepare_network(); !prepared) return prepared;
    if (auto prepared = engine.prepare(); !prepared) return prepared;
    if (auto prepared = snapshots.prepare(); !prepared) return prepared;
    keep_pools();
    return {};
}

Result<void> Supervisor::Impl::prepare_network() {
    auto known =
        store::read<std::vector<model::Network>>(store, [](store::Reader& reader) { return reader.networks(); });
    if (!known) return std::unexpected(known.error());
    if (!known->empty()) return {};

    auto used = kernel.links().used_prefixes();
    if (!used) return std::unexpected(used.error());
    auto ipv4 = choose_ipv4_subnet(*used);
    if (!ipv4) return std::unexpected(ipv4.error());
    auto ipv6 = choose_ipv6_subnet(*used);
    if (!ipv6) return std::unexpected(ipv6.error());
    const model::Network network{.id = {}, .name = *model::Name::parse("default"), .ipv4 = *ipv4, .ipv6 = *ipv6};
    return store.write([&](store::Writer& writer) -> Result<void> {
        auto made = writer.insert_network(network);
        if (!made) return std::unexpected(made.error());
        const nlohmann::json data{{"network", "default"}, {"ipv4", ipv4->to_string()}, {"ipv6", ipv6->to_string()}};
        auto event = writer.append_event("network.created", "", "", data.dump());
        if (!event) return std::unexpected(event.error());
        return {};
    });
}

void Supervisor::Impl::catch_up() {
    const std::lock_guard lock(catch_up_mutex_);
    while (true) {
        const auto after = seen_;
        auto events = store::read<std::vector<model::Event>>(
            store, [after](store::Reader& reader) { return reader.events(after, kCatchUpBatch); });
        if (!events) {
            spdlog::error("cannot read events: {}", events.error().to_string());
            return;
        }
        for (const auto& event : *events) {
            seen_ = event.seq;
            cache.follow(event);
            if (event.type == "jail.root_changed" || event.type == "jail.root_kept" || event.type == "jail.removing")
                read_again(event.jail);
        }
        if (events->size() < kCatchUpBatch) return;
    }
}

/// The reconciler changed the row.
void Supervisor::Impl::read_again(const std::string& jail) {
    const auto name = model::Name::parse(jail);
    if (!name) return;
    auto row = store::read<model::Jail>(store, [&](store::Reader& reader) { return reader.jail(*name); });
    if (!row) return;
    cache.put(*row);
    if (row->removing) interrupt_snapshots(row->id);
}

model::Jail Supervisor::Impl::with_status(model::Jail row) const {
    row.status = reconciler.status(row);
    return row;
}

Supervisor::Supervisor(store::Store& store, kernel::Kernel& kernel, reconcile::Reconciler& reconciler, Clock& clock,
                       templates::Options templates)
    : impl_(std::make_unique<Impl>(store, kernel, reconciler, clock, std::move(templates))) {
    reconciler.on_status([impl = impl_.get()](JailId id) { impl->cache.touch(id); });
}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::prepare() {
    return impl_->prepare();
}

Result<model::Jail> Supervisor::get(const Caller& caller, const model::Name& name) const {
    if (auto allowed = authorize(caller, Role::viewer, "jail.get"); !allowed) return std::unexpected(allowed.error());
    auto row = impl_->cache.find(name);
    if (!row) return std::unexpected(jail_not_found(name));
    return impl_->with_status(*std::move(row));
}

Result<Supervisor::Document> Supervisor::document(const Caller& caller, const model::Name& name) const {
    if (auto kept = impl_->cache.document(name); kept && caller.role >= Role::viewer)
        return Document{.json = kept->json, .etag = kept->etag};
    const auto version = impl_->cache.version(name);
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    const JailCache::Document made{.json = std::make_shared<const std::string>(model::to_json(*jail).dump()),
                                   .etag = model::etag(*jail)};
    impl_->cache.keep(*jail, version, made);
    return Document{.json = made.json, .etag = made.etag};
}

Result<JailPage> Supervisor::list(const Caller& caller, const JailQuery& query) const {
    if (auto allowed = authorize(caller, Role::viewer, "jail.list"); !allowed) return std::unexpected(allowed.error());
    JailPage page;
    for (auto& row : impl_->cache.all()) {
        if (row.id <= query.after) continue;
        auto jail = impl_->with_status(std::move(row));
        if (!matches(jail, query)) continue;
        if (page.items.size() == query.limit) {
            page.next = page.items.back().id;
            break;
        }
        page.items.push_back(std::move(jail));
    }
    return page;
}

Result<std::vector<std::string>> Supervisor::plan(const Caller& caller, const model::Name& name) {
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    return impl_->steps(*jail);
}

Result<std::vector<std::string>> Supervisor::Impl::steps(const model::Jail& jail) {
    auto plan = reconciler.plan_now(jail);
    if (!plan) return std::unexpected(plan.error());
    std::vector<std::string> lines;
    lines.reserve(plan->size());
    for (const auto& step : *plan) lines.push_back(step.to_string());
    return lines;
}

Result<std::optional<reconcile::Reconciler::Rules>> Supervisor::firewall(const Caller& caller,
                                                                         const model::Name& name) {
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    return impl_->reconciler.rules_of(*jail);
}

Result<std::unique_ptr<kernel::RunningProgram>> Supervisor::exec(const Caller& caller, const model::Name& name,
                                                                 const Precondition& precondition,
                                                                 ExecRequest request) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.exec"); !allowed)
        return std::unexpected(allowed.error());
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    if (auto same = check_preconditions(*jail, precondition); !same) return std::unexpected(same.error());
    if (auto free = check_not_pooled(*jail); !free) return std::unexpected(free.error());
    if (auto alive = check_alive(*jail, "exec"); !alive) return std::unexpected(alive.error());
    auto& program = request.program;
    if (program.user.empty()) program.user = jail->spec.exec.user;
    if (program.directory.empty()) program.directory = jail->spec.exec.directory;
    for (const auto& [key, value] : jail->spec.exec.env) program.environment.try_emplace(key, value.value);

    auto audited = impl_->store.write([&](store::Writer& writer) {
        return writer.append_audit(
            {.principal = caller.principal, .action = "jail.exec", .object = jail->name.text(), .outcome = "accepted"});
    });
    if (!audited) return std::unexpected(audited.error());
    auto hold = impl_->reconciler.hold(jail->id);
    if (!hold) return std::unexpected(jail_removing(*jail));
    auto running = impl_->kernel.processes().exec(jail->id, program, std::move(request.stdio));
    if (!running) return running;
    return std::make_unique<HeldProgram>(*std::move(hold), *std::move(running));
}

Result<UniqueFd> Supervisor::open_log(const Caller& caller, const model::Name& name) {
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    return impl_->kernel.processes().open_log(jail->id);
}

Result<model::Operation> Supervisor::operation(const Caller& caller, const std::string& id) {
    if (auto allowed = authorize(caller, Role::viewer, "operation.get"); !allowed)
        return std::unexpected(allowed.error());
    auto operation =
        store::read<model::Operation>(impl_->store, [&](store::Reader& reader) { return reader.operation(id); });
    // Steps reach the row when the operation ends. Whoever learns that a removal ended must not find the jail any more.
    if (!operation) return operation;
    if (operation->state != model::OperationState::running) {
        impl_->catch_up();
    } else if (operation->snapshot_id.value != 0) {
        auto seen = impl_->snapshots.see(operation->snapshot_id);
        operation->steps = std::move(seen.steps);
        operation->progress = std::move(seen.progress);
    } else if (operation->template_id.value != 0) {
        auto seen = impl_->engine.see(operation->template_id);
        operation->steps = std::move(seen.steps);
        operation->progress = std::move(seen.progress);
    } else {
        operation->steps = impl_->reconciler.progress(operation->jail);
        operation->progress = impl_->imports.progress(operation->jail);
    }
    return operation;
}

Result<std::vector<model::Event>> Supervisor::events(const Caller& caller, EventSeq after, std::size_t limit) {
    if (auto allowed = authorize(caller, Role::viewer, "event.list"); !allowed) return std::unexpected(allowed.error());
    return store::read<std::vector<model::Event>>(impl_->store,
                                                  [&](store::Reader& reader) { return reader.events(after, limit); });
}

Result<std::vector<model::Event>> Supervisor::events_of(const Caller& caller, const std::string& jail,
                                                        std::size_t last) {
    if (auto allowed = authorize(caller, Role::viewer, "event.list"); !allowed) return std::unexpected(allowed.error());
    return store::read<std::vector<model::Event>>(impl_->store,
                                                  [&](store::Reader& reader) { return reader.events_of(jail, last); });
}

Result<EventSeq> Supervisor::last_event(const Caller& caller) {
    if (auto allowed = authorize(caller, Role::viewer, "event.list"); !allowed) return std::unexpected(allowed.error());
    return store::read<EventSeq>(impl_->store, [](store::Reader& reader) { return reader.last_event(); });
}

Result<model::HostInfo> Supervisor::host(const Caller& caller) {
    if (auto allowed = authorize(caller, Role::viewer, "host.get"); !allowed) return std::unexpected(allowed.error());
    auto host = impl_->facts;
    auto checks = impl_->kernel.host().checks();
    if (!checks) return std::unexpected(checks.error());
    host.checks = *std::move(checks);
    for (const auto& row : impl_->cache.all()) {
        host.jails++;
        if (impl_->reconciler.status(row).state == model::JailState::running) host.running++;
    }
    return host;
}

Result<std::vector<model::Leftover>> Supervisor::residue(const Caller& caller, reconcile::Reconciler::Remove remove) {
    if (auto allowed = authorize(caller, Role::admin, "host.residue"); !allowed)
        return std::unexpected(allowed.error());
    if (remove == reconcile::Reconciler::Remove::yes) {
        auto audited = impl_->store.write([&](store::Writer& writer) {
            return writer.append_audit({.principal = caller.principal,
                                        .action = "host.remove_residue",
                                        .object = impl_->facts.instance,
                                        .outcome = "accepted"});
        });
        if (!audited) return std::unexpected(audited.error());
    }
    return impl_->reconciler.residue(remove);
}

reconcile::Readiness Supervisor::readiness() const {
    return impl_->reconciler.readiness();
}

void Supervisor::on_events(std::function<void(EventSeq)> listener) {
    impl_->forward_events(std::move(listener));
}

}  // namespace jaild
