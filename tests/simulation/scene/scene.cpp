#include "tests/simulation/scene/scene.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "core/kernel/memory/faults.h"

namespace jaild::simulation {
namespace {

using kernel::memory::Crash;
using kernel::memory::JailLife;

constexpr Milliseconds kRoundTime{5'000};
constexpr std::string_view kHangs = "hangs";

/// Points at which the disk is written to.
constexpr const char* kWriting[] = {"store.write",
                                    "jails.record",
                                    "roots.prepare.tree",
                                    "roots.prepare.copy",
                                    "roots.prepare.finish",
                                    "roots.refresh",
                                    "roots.write_hosts",
                                    "snapshots.take.copy",
                                    "snapshots.restore.copy",
                                    "root_upgrades.upgrade",
                                    "links.ensure_alias.remember"};

kernel::memory::MemoryOptions with_clock(kernel::memory::MemoryOptions options, Clock& clock) {
    options.clock = &clock;
    return options;
}

/// Small enough that a run can use it up.
model::Network default_network() {
    return {.id = {},
            .name = expect(model::Name::parse("default")),
            .ipv4 = expect(Prefix::parse("10.213.0.0/28")),
            .ipv6 = expect(Prefix::parse("fd00:213::/64"))};
}

}  // namespace

Scene::Scene(const kernel::memory::MemoryOptions& options, Keeping keeping)
    : store_(keeping, clock_),
      kernel_({.instance = store_->instance(), .state_directory = "/var/db/jaild", .helper_directory = "/usr/libexec"},
              with_clock(options, clock_)),
      striking_store_(*store_, kernel_.faults()) {
    kernel_.hook = [this](std::string_view call, JailId id) { return meet(call, id); };
    expect(store::write<model::Network>(
        *store_, [](store::Writer& writer) { return writer.insert_network(default_network()); }));
    for (const auto* version : {"1", "2"})
        expect(store::write<model::Template>(*store_, [&](store::Writer& writer) {
            auto made = writer.insert_template({.name = expect(model::Name::parse("base")), .version = version});
            return made ? writer.finish_template(*made) : made;
        }));
    start_daemon();
}

void Scene::start_daemon() {
    reconciler_ = std::make_unique<reconcile::Reconciler>(
        striking_store_, kernel_, clock_, reconcile::ReconcilerOptions{.upgrade_trial = Milliseconds{0}});
}

void Scene::kill_daemon() {
    hung_.clear();
    reconciler_.reset();
    start_daemon();
    // An illness that goes on is found once more, and may be told of once more.
    for (const auto& [id, jid] : ill_)
        if (const auto row = jail(id)) illnesses_[row->name.key()]++;
    for (const auto& jail : jails())
        if (jail.unpacking()) end_import(jail.id, Archive::cut_off);
}

void Scene::lose_database() {
    hung_.clear();
    reconciler_.reset();
    for (const auto& problem : store_.lose_and_recover()) offences_.push_back(problem);
    striking_store_.stand_before(*store_);
    operation_ids_.clear();  // history is not kept
    kill_daemon();
}

void Scene::fill_disk(bool full) {
    for (const auto* point : kWriting)
        full ? kernel_.faults().always(point, ENOSPC) : kernel_.faults().not_any_more(point);
}

Result<void> Scene::note(store::Writer& writer, const model::Jail& jail, std::string_view kind) {
    auto operation = writer.insert_operation({.id = {},
                                              .kind = std::string(kind),
                                              .jail = jail.id,
                                              .jail_name = jail.name.text(),
                                              .generation = jail.generation,
                                              .incarnation = jail.incarnation,
                                              .steps = {},
                                              .problem = {},
                                              .created_at = {},
                                              .finished_at = {}});
    if (!operation) return std::unexpected(operation.error());
    operation_ids_.push_back(operation->id);
    auto event = writer.append_event("jail.changed", jail.name.text(), operation->id, "{}");
    if (!event) return std::unexpected(event.error());
    return {};
}

Result<JailId> Scene::create(const model::NamedSpec& spec) {
    auto made = store::write<JailId>(*store_, [&](store::Writer& writer) -> Result<JailId> {
        auto jail = writer.insert_jail(spec);
        if (!jail) return std::unexpected(jail.error());
        if (auto noted = note(writer, *jail, "create"); !noted) return std::unexpected(noted.error());
        return jail->id;
    });
    if (made && spec.spec.running) history_[*made].may_start(spec.spec);
    if (made) poke(*made);
    return made;
}

Result<void> Scene::update(JailId id, const model::JailSpec& spec) {
    const auto row = jail(id);
    const auto before = row ? row->spec.restart : spec.restart;
    auto done = store_->write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.update_jail(id, spec);
        if (!jail) return std::unexpected(jail.error());
        return note(writer, *jail, "update");
    });
    // A jail that was half made is made anew for a change, and its command may run for it again; a stop and a start
    // that nobody acted upon in between are no new start.
    if (done && spec.running) history_[id].may_start(spec);
    if (done && spec.restart != before) history_[id].new_policy = true;
    if (done) poke(id);
    return done;
}

Result<void> Scene::restart(JailId id) {
    auto done = store_->write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.request_restart(id);
        if (!jail) return std::unexpected(jail.error());
        return note(writer, *jail, "restart");
    });
    if (done) {
        history_[id].may_start(jail(id)->spec);
        // A jail whose hint is lost is taken for what the row asks, a restart that nobody acted upon included.
        if (!lost_hints_.contains(id)) history_[id].disturbed = history_[id].new_policy = false;
        poke(id);
    }
    return done;
}

Result<SnapshotId> Scene::take_snapshot(JailId id) {
    return store::write<SnapshotId>(*store_, [&](store::Writer& writer) -> Result<SnapshotId> {
        auto jail = writer.jail(id);
        if (!jail) return std::unexpected(jail.error());
        const Error refused{.code = Errc::conflict, .op = "take_snapshot", .reason = "root_not_made"};
        if (jail->removing || jail->root_change || jail->spec.root.kind == model::RootKind::path)
            return std::unexpected(refused);
        auto made = writer.insert_snapshot({.jail = id,
                                            .name = "s" + std::to_string(++snapshots_taken_),
                                            .template_name = jail->spec.template_name,
                                            .base = jail->base ? jail->base->id : TemplateId{}});
        if (!made) return std::unexpected(made.error());
        if (!kernel_.hand().take_snapshot({.jail = id, .id = made->id})) return std::unexpected(refused);
        auto finished = writer.finish_snapshot(made->id, {});
        if (!finished) return std::unexpected(finished.error());
        return made->id;
    });
}

Result<void> Scene::restore(JailId id, SnapshotId from) {
    auto done = store_->write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.jail(id);
        if (!jail) return std::unexpected(jail.error());
        if (jail->root_change) return std::unexpected(Error{.code = Errc::conflict, .op = "restore"});
        auto source = writer.find_snapshot(from);
        if (!source) return std::unexpected(source.error());
        auto kept = writer.insert_snapshot({.jail = id,
                                            .name = "s" + std::to_string(++snapshots_taken_),
                                            .reason = model::SnapshotReason::restore,
                                            .template_name = jail->spec.template_name,
                                            .base = jail->base ? jail->base->id : TemplateId{}});
        if (!kept) return std::unexpected(kept.error());
        auto changed = writer.change_root(
            id, {.from = from, .name = source->reference(), .from_jail = source->jail, .keep = kept->id}, *source);
        if (!changed) return std::unexpected(changed.error());
        return note(writer, *changed, "snapshot.restore");
    });
    if (!done) return done;
    history_[id].may_start(jail(id)->spec);
    if (!lost_hints_.contains(id)) history_[id].disturbed = false;
    poke(id);
    return done;
}

Result<void> Scene::upgrade(JailId id) {
    auto done = store_->write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.jail(id);
        if (!jail) return std::unexpected(jail.error());
        if (jail->root_change || !jail->base) return std::unexpected(Error{.code = Errc::conflict, .op = "upgrade"});
        const auto* wanted = jail->spec.template_name == "base:1" ? "base:2" : "base:1";
        auto to = writer.find_template(expect(model::TemplateRef::parse(wanted)));
        if (!to) return std::unexpected(to.error());
        auto kept = writer.insert_snapshot({.jail = id,
                                            .name = "s" + std::to_string(++snapshots_taken_),
                                            .reason = model::SnapshotReason::upgrade,
                                            .template_name = jail->spec.template_name,
                                            .base = jail->base->id});
        if (!kept) return std::unexpected(kept.error());
        auto begun = writer.begin_upgrade(id,
                                          {.stage = model::RootStage::snapshot,
                                           .from = kept->id,
                                           .name = to->reference(),
                                           .from_jail = id,
                                           .keep = kept->id,
                                           .base = jail->base->id},
                                          *to);
        if (!begun) return std::unexpected(begun.error());
        return note(writer, *begun, "upgrade");
    });
    if (!done) return done;
    for (int start = 0; start < 2; ++start) history_[id].may_start(jail(id)->spec);  // the second when it is taken back
    if (!lost_hints_.contains(id)) history_[id].disturbed = false;
    poke(id);
    return done;
}

Result<JailId> Scene::clone(const model::NamedSpec& spec, SnapshotId from) {
    auto made = store::write<JailId>(*store_, [&](store::Writer& writer) -> Result<JailId> {
        auto source = writer.find_snapshot(from);
        if (!source) return std::unexpected(source.error());
        auto jail = writer.insert_jail(spec);
        if (!jail) return std::unexpected(jail.error());
        auto changed = writer.change_root(
            jail->id, {.from = from, .name = source->reference(), .from_jail = source->jail}, *source);
        if (!changed) return std::unexpected(changed.error());
        if (auto noted = note(writer, *changed, "create"); !noted) return std::unexpected(noted.error());
        return jail->id;
    });
    if (made && spec.spec.running) history_[*made].may_start(spec.spec);
    if (made) poke(*made);
    return made;
}

Result<JailId> Scene::import(const model::NamedSpec& spec) {
    auto made = store::write<JailId>(*store_, [&](store::Writer& writer) -> Result<JailId> {
        auto jail = writer.insert_jail(spec);
        if (jail) jail = writer.begin_unpack(jail->id);
        if (!jail) return std::unexpected(jail.error());
        if (auto noted = note(writer, *jail, "import"); !noted) return std::unexpected(noted.error());
        return jail->id;
    });
    if (made && spec.spec.running) history_[*made].may_start(spec.spec);
    if (made) poke(*made);
    return made;
}

/// The tree is whole before the row says so, as the supervisor has it.
void Scene::end_import(JailId id, Archive archive) {
    auto ended = store_->write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.jail(id);
        if (!jail || !jail->unpacking()) return {};
        if (archive == Archive::whole) kernel_.hand().unpack(id, jail->spec.root);
        auto changed = archive == Archive::whole ? writer.end_root_change(id) : writer.mark_removing(id);
        return changed ? Result<void>{} : std::unexpected(changed.error());
    });
    expect(ended);
    poke(id);
}

std::vector<model::Snapshot> Scene::snapshots() {
    return expect(
        store::read<std::vector<model::Snapshot>>(*store_, [](store::Reader& reader) { return reader.snapshots(); }));
}

Result<void> Scene::remove(JailId id) {
    auto done = store_->write([&](store::Writer& writer) -> Result<void> {
        if (auto free = writer.check_snapshots_free(id); !free) return free;
        auto jail = writer.mark_removing(id);
        if (!jail) return std::unexpected(jail.error());
        return note(writer, *jail, "remove");
    });
    if (done) poke(id);
    return done;
}

Result<void> Scene::create_network(const model::Network& network) {
    return store_->write([&](store::Writer& writer) -> Result<void> {
        auto made = writer.insert_network(network);
        return made ? Result<void>{} : std::unexpected(made.error());
    });
}

/// The daemon looks at what runs there first, and may die of it.
Result<void> Scene::check_left(const model::Network& network) {
    Result<std::vector<std::string>> held;
    const auto how = drive([&](reconcile::Reconciler& daemon) -> Result<void> {
        held = daemon.held_on(network.id);
        return held ? Result<void>{} : std::unexpected(held.error());
    });
    if (how == Round::done && held->empty()) return {};
    return std::unexpected(Error{.code = Errc::conflict, .op = "check_left", .reason = "network_in_use"});
}

Result<void> Scene::update_network(const model::Network& network) {
    const auto all = networks();
    const auto before = std::ranges::find(all, network.id, &model::Network::id);
    if (before == all.end()) return std::unexpected(Error{.code = Errc::not_found, .op = "update_network"});
    if (before->ipv4 != network.ipv4 || before->ipv6 != network.ipv6)
        if (auto left = check_left(network); !left) return left;
    auto done = store_->write([&](store::Writer& writer) -> Result<void> {
        auto updated = writer.update_network(network);
        return updated ? Result<void>{} : std::unexpected(updated.error());
    });
    if (done) reconciler_->poke_networks();
    return done;
}

Result<void> Scene::remove_network(const model::Network& network) {
    if (auto left = check_left(network); !left) return left;
    const auto how = drive([&](reconcile::Reconciler& daemon) { return daemon.retire(network); });
    if (how != Round::done) return std::unexpected(Error{.code = Errc::busy, .op = "retire", .detail = last_error_});
    auto done = store_->write([&](store::Writer& writer) { return writer.delete_network(network); });
    if (done) reconciler_->poke_networks();
    return done;
}

template <class Work>
Round Scene::drive(Work&& work) {
    clock_.advance(kRoundTime);
    const auto before = jails();
    probe_all();
    Round how = Round::done;
    try {
        if (auto done = work(*reconciler_); !done) {
            last_error_ = done.error().to_string();
            how = done.error().reason == kHangs ? Round::hung : Round::failed;
        }
    } catch (const Crash& crash) {
        last_error_ = "crash at " + std::string(crash.point());
        kill_daemon();
        how = Round::crashed;
    }
    notice_new_jails();
    notice_offences();
    notice_lost(before);
    return how;
}

Round Scene::reconcile(JailId id) {
    return drive([&](reconcile::Reconciler& daemon) { return daemon.reconcile(id); });
}

/// A round that hangs begins anew for that.
void Scene::poke(JailId id) {
    hung_rows_.erase(id);
    reconciler_->poke(id);
}

Round Scene::reconcile_and_hang(JailId id, unsigned after) {
    if (hung_.contains(id)) return reconcile(id);
    hung_rows_.erase(id);
    if (auto row = jail(id)) hung_rows_.emplace(id, *std::move(row));
    auto& daemon = *reconciler_;
    hung_[id] = std::make_unique<HungRound>(id, after, [&daemon, id] { return daemon.reconcile(id); });
    return let_go(id, {});
}

Round Scene::let_go(JailId id, Result<void> returned) {
    return drive([&](reconcile::Reconciler&) -> Result<void> {
        auto& round = *hung_.at(id);
        round.go_on(std::move(returned));
        if (round.hangs())
            return std::unexpected(Error{
                .code = Errc::busy, .op = "reconcile", .detail = std::string(round.hangs_in()), .reason = kHangs});
        const auto ended = std::move(hung_.extract(id).mapped());
        return ended->result();
    });
}

std::vector<JailId> Scene::hung() const {
    std::vector<JailId> ids;
    for (const auto& [id, round] : hung_) ids.push_back(id);
    return ids;
}

std::string_view Scene::hangs_in(JailId id) const {
    const auto found = hung_.find(id);
    return found == hung_.end() ? std::string_view() : found->second->hangs_in();
}

/// Also on the thread of a round that may hang.
Result<void> Scene::meet(std::string_view call, JailId id) {
    const auto here = std::ranges::find_if(hung_, [](const auto& one) { return one.second->is_here(); });
    if (call == "jails.create") {
        const auto known = here == hung_.end() ? hung_rows_.end() : hung_rows_.find(id);
        if (known != hung_rows_.end())
            created_from_.insert_or_assign(id, known->second);
        else if (auto row = jail(id))
            created_from_.insert_or_assign(id, *std::move(row));
    }
    return here == hung_.end() ? Result<void>{} : here->second->meet(call, id);
}

Round Scene::resync() {
    return drive([](reconcile::Reconciler& daemon) { return daemon.resync(); });
}

Round Scene::round() {
    Round worst = resync();
    for (const auto& one : jails()) worst = std::max(worst, reconcile(one.id));
    return worst;
}

bool Scene::fall_ill(JailId id) {
    const auto row = jail(id);
    const auto state = kernel_.state();
    const auto lives = [&](const auto& one) { return one.id == id && one.life == JailLife::alive; };
    const auto found = std::ranges::find_if(state.prisons, lives);
    if (!row || !row->spec.health || found == state.prisons.end()) return false;
    if (!ill_.insert_or_assign(id, found->jid).second) return false;
    illnesses_[row->name.key()]++;
    if (row->spec.health->restart) history_[id].may_start(row->spec);
    return true;
}

/// As often as it takes to know it.
void Scene::probe_all() {
    for (const auto& one : kernel_.state().prisons) {
        const auto row = one.life == JailLife::alive ? jail(one.id) : std::nullopt;
        if (!row || !row->spec.health) continue;
        const auto ill = ill_.find(one.id);
        const bool good = ill == ill_.end() || ill->second != one.jid;
        if (good) ill_.erase(one.id);
        for (unsigned count = 0; count < (good ? 1 : row->spec.health->retries); ++count)
            reconciler_->probed(one.id, {.good = good, .message = good ? "" : "connection refused"});
    }
}

/// A jail that has a new jid was made during the round that just ended, from the row as it is.
void Scene::notice_new_jails() {
    const auto state = kernel_.state();
    for (const auto& one : state.prisons) {
        if (one.life == JailLife::dying) continue;
        auto& made = made_with_[one.id];
        const auto held = state.directories.find(one.id);
        const bool hint = held != state.directories.end() && held->second.applied;
        const bool assumed = made.hint_lost && hint && lost_hints_.erase(one.id) > 0;
        if (made.jid == one.jid && !assumed) continue;
        may_be_followed(one.id);
        const auto created = created_from_.find(one.id);
        const bool same = made.jid == one.jid;
        if (const auto row = same || created == created_from_.end() ? jail(one.id) : created->second; row)
            made = {one.jid, row->spec, row->interfaces, assumed && same};
        // Whose network stack it has only a new one can change.
        using enum model::NetworkMode;
        const auto stack = [](model::NetworkMode mode) { return mode == vnet ? none : mode; };
        if (!made.hint_lost || stack(one.mode) == stack(made.spec.network.mode)) continue;
        made.spec.network.mode = stack(one.mode);
        made.spec.network.interfaces.clear();
        made.interfaces.clear();
    }
}

/// Those that are made anew after it are started once more.
void Scene::may_be_followed(JailId id) {
    const auto first = jail(id);
    if (!first) return;
    for (const auto& other : jails())
        for (const auto& needed : other.spec.depends_on)
            if (model::key_of(needed.jail) == first->name.key()) history_[other.id].may_start(other.spec);
}

void Scene::notice_offences() {
    for (const auto& one : kernel_.state().prisons) {
        if (jail(one.id)) continue;
        offences_.push_back("jail " + std::to_string(one.id.value) + " is there still, and its row is gone");
    }
}

/// Nobody removes a jail but its users, unless they asked for that beforehand.
void Scene::notice_lost(const std::vector<model::Jail>& before) {
    for (const auto& row : before) {
        if (row.removing || row.unpacking() || row.spec.ephemeral || row.spec.ttl.count() > 0) continue;
        const auto now = jail(row.id);
        if (!now || now->removing) offences_.push_back("jail " + std::to_string(row.id.value) + " went by itself");
    }
}

bool Scene::lose_hint(JailId id) {
    if (!kernel_.hand().delete_applied(id)) return false;
    lost_hints_.insert(id);
    made_with_[id].hint_lost = true;
    history_[id].disturbed = true;  // if its command was run before, only the hint knew
    if (const auto row = jail(id)) history_[id].may_start(row->spec);
    return true;
}

void Scene::calm() {
    kernel_.faults().clear();
    kernel_.set_nature({});
    for (const auto& jail : jails())
        if (jail.unpacking()) end_import(jail.id, Archive::whole);
}

void Scene::let_all_go() {
    for (const auto id : hung()) (void)let_go(id, {});
}

std::optional<std::size_t> Scene::settle(Care care) {
    calm();
    let_all_go();
    return come_to_rest(care);
}

std::optional<std::size_t> Scene::come_to_rest(Care care, std::size_t limit) {
    std::string before;
    std::size_t quiet = 0;
    for (std::size_t count = 1; count <= limit; ++count) {
        // A jail that cannot start fails each time: the picture stays the same.
        (void)(care == Care::rounds ? round() : resync());
        auto now = picture();
        quiet = now == before && !is_dying() && !is_working() ? quiet + 1 : 0;
        if (quiet == 2) return count;
        before = std::move(now);
    }
    return std::nullopt;
}

/// What is there, and which rows.
std::string Scene::picture() {
    auto text = kernel_.describe();
    for (const auto& one : jails()) text += std::to_string(one.id.value) + (one.removing ? " removing " : " ");
    return text;
}

bool Scene::is_dying() const {
    const auto state = kernel_.state();
    return std::ranges::any_of(state.prisons, [](const auto& one) { return one.life == JailLife::dying; });
}

bool Scene::waits(const model::Jail& row) {
    if (!row.spec.running || row.removing) return false;
    const auto lives = [&](const auto& one) { return one.id == row.id && one.life == JailLife::alive; };
    if (std::ranges::any_of(kernel_.state().prisons, lives)) return false;
    const auto others = jails();
    return std::ranges::any_of(row.spec.depends_on, [&](const model::Dependency& needed) {
        const auto key = model::key_of(needed.jail);
        const auto other = std::ranges::find(others, key, [](const model::Jail& one) { return one.name.key(); });
        if (other == others.end()) return true;
        const auto status = reconciler_->status(*other);
        const bool well = !other->spec.health || (status.health && status.health->state == model::HealthState::healthy);
        return status.state != model::JailState::running ||
               (needed.condition == model::DependencyCondition::healthy && !well);
    });
}

/// An operation fails only after several tries. That of a jail that waits for another does not end.
bool Scene::is_working() {
    const auto all = operations();
    return std::ranges::any_of(all, [&](const model::Operation& one) {
        if (one.state != model::OperationState::running || hung_.contains(one.jail)) return false;
        const auto row = jail(one.jail);
        return !row || !waits(*row);
    });
}

std::vector<model::Jail> Scene::jails() {
    return expect(
        store::read<std::vector<model::Jail>>(*store_, [](store::Reader& reader) { return reader.all_jails(); }));
}

std::vector<model::Network> Scene::networks() {
    return expect(
        store::read<std::vector<model::Network>>(*store_, [](store::Reader& reader) { return reader.networks(); }));
}

std::optional<model::Jail> Scene::jail(JailId id) {
    auto row = store::read<model::Jail>(*store_, [&](store::Reader& reader) { return reader.jail(id); });
    if (!row) return std::nullopt;
    return *std::move(row);
}

std::vector<model::Operation> Scene::operations() {
    std::vector<model::Operation> all;
    for (const auto& id : operation_ids_) {
        all.push_back(expect(
            store::read<model::Operation>(*store_, [&](store::Reader& reader) { return reader.operation(id); })));
    }
    return all;
}

std::vector<model::Event> Scene::events() {
    return expect(store::read<std::vector<model::Event>>(
        *store_, [](store::Reader& reader) { return reader.events(EventSeq{}, 100'000); }));
}

}  // namespace jaild::simulation
