#include "core/snapshots/engine.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/disk_full.h"
#include "core/jobs/end_operation.h"
#include "core/jobs/job.h"
#include "core/jobs/workers.h"
#include "core/snapshots/schedule.h"

namespace jaild::snapshots {
namespace {

using model::OperationState;
using model::Snapshot;
using model::SnapshotState;

constexpr std::string_view kCreate = "snapshot.create";

class SnapshotJob : public jobs::Job {
public:
    explicit SnapshotJob(Snapshot subject) : subject_(std::move(subject)) {}
    [[nodiscard]] const Snapshot& subject() const { return subject_; }

private:
    const Snapshot subject_;
};

Error plain(Errc code, std::string detail, std::string_view reason, std::string remedy = {}) {
    return Error{
        .code = code, .op = "snapshot", .detail = std::move(detail), .reason = reason, .remedy = std::move(remedy)};
}

Error ended_by_daemon() {
    return plain(Errc::conflict, "jaild ended before the snapshot was finished; what there was of it is removed",
                 "snapshot_interrupted", "take it again");
}

Result<void> tell(store::Writer& writer, std::string_view type, const Snapshot& value, const Error* error = nullptr) {
    nlohmann::json data{{"snapshot", value.reference()}, {"reason", model::to_string(value.reason)}};
    if (error != nullptr) data["code"] = error->name();
    auto event = writer.append_event(type, value.jail_name, {}, data.dump());
    if (!event) return std::unexpected(event.error());
    return {};
}

/// All that run on it: takings fail by `error`, or succeed; removals succeed.
Result<void> end_all(store::Writer& writer, SnapshotId id, const std::vector<std::string>& steps, const Error* error,
                     UtcTime now) {
    auto running = writer.running_operations(id);
    if (!running) return std::unexpected(running.error());
    for (const auto& operation : *running) {
        const bool fails = error != nullptr && operation.kind == kCreate;
        auto ended = jobs::end_operation(writer, operation, fails ? OperationState::failed : OperationState::succeeded,
                                         fails ? std::optional(model::to_problem(*error)) : std::nullopt, steps, now);
        if (!ended) return ended;
    }
    return {};
}

kernel::SnapshotKey key_of(const Snapshot& value) {
    return {.jail = value.jail, .id = value.id};
}

/// Jails of which a schedule, or nobody, may take a snapshot now.
bool may_take(const model::Jail& jail) {
    return !jail.removing && !jail.root_change && jail.spec.root.kind != model::RootKind::path;
}

}  // namespace

class Engine::Impl {
public:
    Impl(store::Store& store, kernel::Kernel& kernel, Clock& clock, const Options& options)
        : options_(options), store_(store), kernel_(kernel), clock_(clock), takers_(options.at_once) {}

    Result<void> prepare();
    void take(const Snapshot& value);
    void remove(const Snapshot& value);
    void interrupt(SnapshotId id);
    Seen see(SnapshotId id) const;
    Result<void> look();
    void stop();

private:
    using JobPtr = std::shared_ptr<SnapshotJob>;

    JobPtr add(const Snapshot& value);
    void drop(const SnapshotJob& job);
    void run_take(SnapshotJob& job);
    Result<model::SnapshotSize> copy(SnapshotJob& job);
    Result<void> finish(const SnapshotJob& job, const model::SnapshotSize& size);
    Result<void> undo(const SnapshotJob& job, const Error& error);
    Result<void> clear(SnapshotJob& job);
    Result<void> end_orphans(const std::vector<Snapshot>& rows);
    Result<void> look_at(const model::Jail& jail, const std::vector<Snapshot>& there);
    Result<void> take_scheduled(const model::Jail& jail, const std::string& series);
    Result<void> prune(const Snapshot& value);
    void keep_looking();
    void insist(jobs::Workers& workers, SnapshotJob& job, const std::function<Result<void>()>& attempt);

    const Options options_;
    store::Store& store_;
    kernel::Kernel& kernel_;
    Clock& clock_;
    mutable std::mutex mutex_;  ///< of the two below
    std::map<SnapshotId, JobPtr> jobs_;
    std::map<std::pair<JailId, std::string>, Clock::Monotonic> not_before_;  ///< by jail and series
    std::atomic<bool> ending_ = false;
    jobs::Workers takers_;
    jobs::Workers removers_{1};
    jobs::Workers looker_{1};
};

Engine::Impl::JobPtr Engine::Impl::add(const Snapshot& value) {
    auto job = std::make_shared<SnapshotJob>(value);
    const std::lock_guard lock(mutex_);
    jobs_[value.id] = job;
    return job;
}

/// Another one for the same snapshot may have come since.
void Engine::Impl::drop(const SnapshotJob& job) {
    const std::lock_guard lock(mutex_);
    const auto known = jobs_.find(job.subject().id);
    if (known != jobs_.end() && known->second.get() == &job) jobs_.erase(known);
}

void Engine::Impl::insist(jobs::Workers& workers, SnapshotJob& job, const std::function<Result<void>()>& attempt) {
    workers.insist(attempt, options_.try_again, [&](const Error& error) {
        const auto said = fmt::format("snapshot {}: {}", job.subject().reference(), error.to_string());
        spdlog::warn("{}; tried again", said);
        job.add_step(said);
    });
}

Result<model::SnapshotSize> Engine::Impl::copy(SnapshotJob& job) {
    const auto go_on = [&](const kernel::SnapshotSize& now) {
        job.show({.phase = "copying",
                  .item = job.subject().reference(),
                  .done = now.bytes,
                  .bytes = now.bytes,
                  .entries = now.entries});
        return !job.interrupted();
    };
    if (job.interrupted()) return std::unexpected(plain(Errc::conflict, "it was cancelled", "interrupted"));
    const auto size = kernel_.snapshots().take(key_of(job.subject()), go_on);
    if (!size) return std::unexpected(size.error());
    job.add_step(fmt::format("copied {} entries, {} bytes", size->entries, size->bytes));
    if (size->left_out > 0) job.add_step(fmt::format("not kept: {} sockets and devices", size->left_out));
    return model::SnapshotSize{.entries = size->entries, .bytes = size->bytes};
}

Result<void> Engine::Impl::finish(const SnapshotJob& job, const model::SnapshotSize& size) {
    return store_.write([&](store::Writer& writer) -> Result<void> {
        auto ready = writer.finish_snapshot(job.subject().id, size);
        if (!ready) return std::unexpected(ready.error());
        if (auto told = tell(writer, "snapshot.ready", *ready); !told) return told;
        return end_all(writer, ready->id, job.steps(), nullptr, clock_.utc());
    });
}

/// Row and copy of one that came to nothing.
Result<void> Engine::Impl::undo(const SnapshotJob& job, const Error& error) {
    const auto& value = job.subject();
    if (auto gone = kernel_.snapshots().remove(key_of(value)); !gone) return gone;
    return store_.write([&](store::Writer& writer) -> Result<void> {
        if (auto ended = end_all(writer, value.id, job.steps(), &error, clock_.utc()); !ended) return ended;
        if (auto deleted = writer.delete_snapshot(value.id); !deleted) return deleted;
        return tell(writer, "snapshot.failed", value, &error);
    });
}

void Engine::Impl::run_take(SnapshotJob& job) {
    auto done = [&]() -> Result<void> {
        try {
            const auto size = copy(job);
            return size ? finish(job, *size) : std::unexpected(size.error());
        } catch (const std::exception& caught) {
            return std::unexpected(plain(Errc::corrupt, caught.what(), {}));
        }
    }();
    // The next daemon clears up.
    if (!done && !ending_) {
        const auto& value = job.subject();
        const auto error = or_disk_full(done.error());
        spdlog::warn("snapshot {}: {}", value.reference(), error.to_string());
        if (value.reason == model::SnapshotReason::schedule) {
            const std::lock_guard lock(mutex_);
            not_before_[{value.jail, value.series}] = clock_.monotonic() + options_.after_failure;
        }
        insist(takers_, job, [&] { return undo(job, error); });
    }
    drop(job);
}

Result<void> Engine::Impl::clear(SnapshotJob& job) {
    const auto& value = job.subject();
    if (auto gone = kernel_.snapshots().remove(key_of(value)); !gone) return gone;
    job.add_step("removed " + value.reference());
    return store_.write([&](store::Writer& writer) -> Result<void> {
        if (auto deleted = writer.delete_snapshot(value.id); !deleted) return deleted;
        if (auto told = tell(writer, "snapshot.removed", value); !told) return told;
        return end_all(writer, value.id, job.steps(), nullptr, clock_.utc());
    });
}

void Engine::Impl::take(const Snapshot& value) {
    takers_.add([this, job = add(value)] { run_take(*job); });
}

void Engine::Impl::remove(const Snapshot& value) {
    removers_.add([this, job = add(value)] {
        insist(removers_, *job, [&] { return clear(*job); });
        drop(*job);
    });
}

void Engine::Impl::interrupt(SnapshotId id) {
    const std::lock_guard lock(mutex_);
    if (const auto job = jobs_.find(id); job != jobs_.end()) job->second->interrupt();
}

Engine::Seen Engine::Impl::see(SnapshotId id) const {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(id);
    if (job == jobs_.end()) return {};
    return {.progress = job->second->progress(), .steps = job->second->steps()};
}

/// Operations on snapshots that went with their jail.
Result<void> Engine::Impl::end_orphans(const std::vector<Snapshot>& rows) {
    return store_.write([&](store::Writer& writer) -> Result<void> {
        auto running = writer.running_snapshot_operations();
        if (!running) return std::unexpected(running.error());
        for (const auto& operation : *running) {
            if (std::ranges::find(rows, operation.snapshot_id, &Snapshot::id) != rows.end()) continue;
            auto ended = jobs::end_operation(writer, operation, OperationState::cancelled, {}, {}, clock_.utc());
            if (!ended) return ended;
        }
        return {};
    });
}

Result<void> Engine::Impl::prepare() {
    std::vector<model::Jail> jails;
    std::vector<Snapshot> rows;
    auto read = store_.read([&](store::Reader& reader) -> Result<void> {
        auto all = reader.all_jails();
        if (!all) return std::unexpected(all.error());
        jails = *std::move(all);
        auto known = reader.snapshots();
        if (!known) return std::unexpected(known.error());
        rows = *std::move(known);
        return {};
    });
    if (!read) return read;
    // What a root was is kept by the reconciler, which goes on with it.
    std::set<SnapshotId> kept;
    for (const auto& jail : jails)
        if (jail.root_change && jail.root_change->keep) kept.insert(*jail.root_change->keep);
    const auto error = ended_by_daemon();
    for (auto& row : rows) {
        const bool half_made = row.state == SnapshotState::creating && !kept.contains(row.id);
        const bool of_an_export = row.state == SnapshotState::ready && row.reason == model::SnapshotReason::transfer;
        if (!half_made && !of_an_export) continue;
        auto failed = store_.write([&](store::Writer& writer) -> Result<void> {
            auto going = writer.mark_snapshot_removing(row.id);
            if (!going) return std::unexpected(going.error());
            row = *std::move(going);
            return end_all(writer, row.id, {}, &error, clock_.utc());
        });
        if (!failed) return failed;
    }
    if (auto ended = end_orphans(rows); !ended) return ended;
    for (const auto& row : rows)
        if (row.state == SnapshotState::removing) remove(row);
    takers_.start();
    removers_.start();
    looker_.add([this] { keep_looking(); });
    looker_.start();
    return {};
}

Result<void> Engine::Impl::take_scheduled(const model::Jail& jail, const std::string& series) {
    {
        const std::lock_guard lock(mutex_);
        const auto wait = not_before_.find({jail.id, series});
        if (wait != not_before_.end() && clock_.monotonic() < wait->second) return {};
    }
    const auto prepared = kernel_.roots().prepared(jail.id);
    if (!prepared) return std::unexpected(prepared.error());
    if (!*prepared) return {};
    auto made =
        store::write<std::optional<Snapshot>>(store_, [&](store::Writer& writer) -> Result<std::optional<Snapshot>> {
            auto row = writer.jail(jail.id);
            if (!row) return std::unexpected(row.error());
            if (!may_take(*row)) return std::nullopt;
            auto value = writer.insert_snapshot({.id = {},
                                                 .jail = row->id,
                                                 .jail_name = {},
                                                 .name = scheduled_name(series, clock_.utc()),
                                                 .reason = model::SnapshotReason::schedule,
                                                 .series = series,
                                                 .template_name = row->spec.template_name,
                                                 .base = row->base ? row->base->id : TemplateId{},
                                                 .size = {}});
            // The clock went back to where it was before.
            if (!value && value.error().name() == "snapshot_exists") return std::nullopt;
            if (!value) return std::unexpected(value.error());
            return std::optional(*std::move(value));
        });
    if (!made) return std::unexpected(made.error());
    if (*made) take(**made);
    return {};
}

Result<void> Engine::Impl::prune(const Snapshot& value) {
    auto going =
        store::write<Snapshot>(store_, [&](store::Writer& writer) { return writer.mark_snapshot_removing(value.id); });
    // One that a root is just made from stays a while longer.
    if (!going && (going.error().code == Errc::conflict || going.error().code == Errc::not_found)) return {};
    if (!going) return std::unexpected(going.error());
    remove(*going);
    return {};
}

Result<void> Engine::Impl::look_at(const model::Jail& jail, const std::vector<Snapshot>& there) {
    const auto now = due(jail.spec.snapshots, there, clock_.utc());
    for (const auto& series : now.take)
        if (auto taken = take_scheduled(jail, series); !taken) return taken;
    for (const auto& old : now.prune)
        if (auto pruned = prune(old); !pruned) return pruned;
    return {};
}

Result<void> Engine::Impl::look() {
    std::vector<model::Jail> jails;
    std::map<JailId, std::vector<Snapshot>> there;
    auto read = store_.read([&](store::Reader& reader) -> Result<void> {
        auto all = reader.all_jails();
        if (!all) return std::unexpected(all.error());
        jails = *std::move(all);
        auto known = reader.snapshots();
        if (!known) return std::unexpected(known.error());
        for (auto& one : *known) there[one.jail].push_back(std::move(one));
        return {};
    });
    if (!read) return read;
    Result<void> first;
    for (const auto& jail : jails) {
        if (!may_take(jail) || (jail.spec.snapshots.empty() && !there.contains(jail.id))) continue;
        auto looked = look_at(jail, there[jail.id]);
        if (looked) continue;
        spdlog::warn("snapshots of jail {}: {}", jail.name.text(), looked.error().to_string());
        if (first) first = std::move(looked);
    }
    return first;
}

void Engine::Impl::keep_looking() {
    while (looker_.pause(options_.look_every))
        if (auto looked = look(); !looked) spdlog::debug("schedules: {}", looked.error().to_string());
}

void Engine::Impl::stop() {
    ending_ = true;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, job] : jobs_) job->interrupt();
    }
    looker_.stop();
    removers_.stop();
    takers_.stop();
}

Engine::Engine(store::Store& store, kernel::Kernel& kernel, Clock& clock, Options options)
    : impl_(std::make_unique<Impl>(store, kernel, clock, options)) {}

Engine::~Engine() {
    stop();
}

Result<void> Engine::prepare() {
    return impl_->prepare();
}

void Engine::take(const Snapshot& value) {
    impl_->take(value);
}

void Engine::remove(const Snapshot& value) {
    impl_->remove(value);
}

void Engine::interrupt(SnapshotId id) {
    impl_->interrupt(id);
}

Engine::Seen Engine::see(SnapshotId id) const {
    return impl_->see(id);
}

Result<void> Engine::look() {
    return impl_->look();
}

void Engine::stop() {
    impl_->stop();
}

}  // namespace jaild::snapshots
