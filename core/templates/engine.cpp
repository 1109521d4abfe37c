#include "core/templates/engine.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/base/disk_full.h"
#include "core/jobs/end_operation.h"
#include "core/jobs/unchanged.h"
#include "core/jobs/workers.h"
#include "core/templates/copy.h"
#include "core/templates/import.h"
#include "core/templates/job.h"
#include "core/templates/updater.h"

namespace jaild::templates {
namespace {

using jobs::Workers;
using model::OperationState;

constexpr std::string_view kRemove = "template.remove";
constexpr Milliseconds kLookAgain{500};  ///< whether a jail that is copied is what it was

/// The jail is what the request names.
Error of_jail(Error error) {
    if (error.reason == "root_not_made") {
        error.field = "/jail";
        error.remedy = "start the jail once, and stop it";
    }
    return error;
}

Error interrupted_by_end() {
    return Error{.code = Errc::conflict,
                 .op = "import",
                 .detail = "jaild ended before the import was finished; what there was of it is removed",
                 .reason = "import_interrupted",
                 .remedy = "import it again"};
}

Result<void> note(store::Writer& writer, std::string_view type, const model::Template& value) {
    const nlohmann::json data{{"template", value.reference()}};
    auto event = writer.append_event(type, {}, {}, data.dump());
    if (!event) return std::unexpected(event.error());
    return {};
}

/// All that run on it: what makes it fails by `error`, or succeeds; removals succeed.
Result<void> end_all(store::Writer& writer, const model::Template& value, const std::vector<std::string>& steps,
                     const Error* error, UtcTime now) {
    auto running = writer.running_operations(value.id);
    if (!running) return std::unexpected(running.error());
    for (const auto& operation : *running) {
        const bool fails = error != nullptr && operation.kind != kRemove;
        auto ended = jobs::end_operation(writer, operation, fails ? OperationState::failed : OperationState::succeeded,
                                         fails ? std::optional(model::to_problem(*error)) : std::nullopt, steps, now);
        if (!ended) return ended;
    }
    return {};
}

/// A jail that a template is made of is as it was when that was asked for: it was not even started and stopped again.
Result<void> check_unchanged(store::Reader& reader, const std::optional<model::Jail>& jail) {
    if (!jail) return {};
    const auto changed = jobs::changed_since(reader, *jail);
    if (!changed) return std::unexpected(changed.error());
    if (*changed == nullptr) return {};
    return std::unexpected(Error{
        .code = Errc::conflict,
        .op = "copy_jail",
        .detail = fmt::format("jail \"{}\" was {} while the template was made of it", jail->name.text(), *changed),
        .reason = "jail_changed",
        .field = {},
        .remedy = "ask again, and leave the jail as it is until the template is ready"});
}

/// A template that is copied is ready yet: of one on its way out, parts may have been gone already.
Result<void> check_ready(store::Reader& reader, const model::Template& from) {
    const auto now = reader.find_template(from.id);
    if (!now && now.error().code != Errc::not_found) return std::unexpected(now.error());
    if (now && now->state == model::TemplateState::ready) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "copy_template",
                                 .detail = fmt::format("template {} was removed while it was copied", from.reference()),
                                 .reason = "template_removed"});
}

}  // namespace

class Engine::Impl {
public:
    Impl(store::Store& store, kernel::TemplateTrees& trees, kernel::RootTransfers& roots, Clock& clock, Options options)
        : options_(std::move(options)),
          store_(store),
          trees_(trees),
          roots_(roots),
          clock_(clock),
          importers_(options_.at_once) {}

    Result<void> prepare();
    void import(const model::Template& value, model::TemplateRequest request, Material material);
    [[nodiscard]] std::filesystem::path uploads() const { return options_.state / "uploads"; }
    void remove(const model::Template& value);
    void interrupt(TemplateId id);
    Seen see(TemplateId id) const;
    void stop();

    const Options options_;

private:
    std::shared_ptr<Job> add(const model::Template& value);
    void drop(const Job& job);
    /// What a template is to be made of.
    struct Wanted {
        model::TemplateRequest request;
        Material material;
    };
    void run_import(Job& job, const Wanted& wanted);
    Result<model::Template> make(Job& job, const Wanted& wanted);
    Result<model::Template> fill(Job& job, const Wanted& wanted, int root);
    Result<model::Template> fill_updated(Job& job, const model::Template& from, int root);
    Result<model::Template> fill_from_jail(Job& job, const model::Jail& jail, int root);
    Result<void> finish(const Job& job, const Wanted& wanted, const model::Template& made);
    /// Row and tree of an import that came to nothing.
    Result<void> undo(const Job& job, const Error& error);
    Result<void> clear(Job& job);
    /// Until it is done, or all stops.
    void insist(Workers& workers, Job& job, const std::function<Result<void>()>& attempt);

    store::Store& store_;
    kernel::TemplateTrees& trees_;
    kernel::RootTransfers& roots_;
    Clock& clock_;
    mutable std::mutex mutex_;  ///< of the jobs
    std::map<TemplateId, std::shared_ptr<Job>> jobs_;
    std::atomic<bool> ending_ = false;
    Workers importers_;
    Workers removers_{1};
};

std::shared_ptr<Job> Engine::Impl::add(const model::Template& value) {
    auto job = std::make_shared<Job>(value);
    const std::lock_guard lock(mutex_);
    jobs_[value.id] = job;
    return job;
}

/// Another one for the same template may have come since.
void Engine::Impl::drop(const Job& job) {
    const std::lock_guard lock(mutex_);
    const auto known = jobs_.find(job.subject().id);
    if (known != jobs_.end() && known->second.get() == &job) jobs_.erase(known);
}

void Engine::Impl::insist(Workers& workers, Job& job, const std::function<Result<void>()>& attempt) {
    workers.insist(attempt, options_.try_again, [&](const Error& error) {
        const auto said = fmt::format("template {}: {}", job.subject().reference(), error.to_string());
        spdlog::warn("{}; tried again", said);
        job.add_step(said);
    });
}

/// A plain copy where templates are datasets, too: a clone could not outlive the version that it was made of.
Result<model::Template> Engine::Impl::fill_updated(Job& job, const model::Template& from, int root) {
    const auto source = trees_.open(from.id);
    if (!source) return std::unexpected(source.error());
    const auto copied = copy_template(from.reference(), source->get(), root, job, options_);
    auto whole = store_.read([&](store::Reader& reader) { return check_ready(reader, from); });
    if (!whole) return std::unexpected(whole.error());
    if (!copied) return copied;
    return update_tree(trees_.directory(job.subject().id), root, from, job, options_);
}

/// As long as its root is read, the jail may be kept from starting: whether it shall is looked at meanwhile.
Result<model::Template> Engine::Impl::fill_from_jail(Job& job, const model::Jail& jail, int root) {
    const bool path = jail.spec.root.kind == model::RootKind::path;
    kernel::HeldTree own;
    if (path) {
        auto directory = kernel::jail_tree::open_path_root(jail.spec.root.path, options_.state);
        if (!directory) return std::unexpected(directory.error());
        own.directory = *std::move(directory);
    } else {
        auto held = roots_.open(jail.id);
        if (!held) return std::unexpected(of_jail(held.error()));
        own = *std::move(held);
    }
    kernel::jail_tree::Source source{.root = own.directory.get()};
    UniqueFd base;
    if (jail.base && jail.spec.root.kind == model::RootKind::thin) {
        auto opened = trees_.open(jail.base->id);
        if (!opened) return std::unexpected(opened.error());
        base = *std::move(opened);
        source.base = base.get();
        source.private_parts = jail.base->private_parts;
    }
    Result<void> unchanged{};
    auto looked = clock_.monotonic();
    const auto same = [&] {
        const auto now = clock_.monotonic();
        if (now - looked < kLookAgain) return true;
        looked = now;
        unchanged = store_.read([&](store::Reader& reader) { return check_unchanged(reader, jail); });
        return unchanged.has_value();
    };
    auto made = copy_jail(jail, source, same, root, job, options_);
    return unchanged ? made : std::unexpected(unchanged.error());
}

Result<model::Template> Engine::Impl::fill(Job& job, const Wanted& wanted, int root) {
    if (wanted.material.from) return fill_updated(job, *wanted.material.from, root);
    if (wanted.material.jail) return fill_from_jail(job, *wanted.material.jail, root);
    if (!wanted.request.directory.empty()) return copy_directory(wanted.request.directory, root, job, options_);
    return import_sets(wanted.request, trees_.directory(job.subject().id), root, wanted.material.upload.get(), job,
                       options_);
}

Result<model::Template> Engine::Impl::make(Job& job, const Wanted& wanted) {
    const auto id = job.subject().id;
    if (job.interrupted()) return std::unexpected(interrupted_error());
    // Others were before it.
    auto same = store_.read([&](store::Reader& reader) { return check_unchanged(reader, wanted.material.jail); });
    if (!same) return std::unexpected(same.error());
    const auto root = trees_.make(id);
    if (!root) return std::unexpected(root.error());
    auto made = fill(job, wanted, root->get());
    if (!made) return made;
    if (auto finished = trees_.finish(id); !finished) return std::unexpected(finished.error());
    return made;
}

Result<void> Engine::Impl::finish(const Job& job, const Wanted& wanted, const model::Template& made) {
    return store_.write([&](store::Writer& writer) -> Result<void> {
        auto running = writer.running_operations(made.id);
        if (!running) return std::unexpected(running.error());
        if (running->empty()) return std::unexpected(interrupted_error());
        if (auto same = check_unchanged(writer, wanted.material.jail); !same) return same;
        auto ready = writer.finish_template(made);
        if (!ready) return std::unexpected(ready.error());
        if (auto told = note(writer, "template.ready", made); !told) return told;
        return end_all(writer, made, job.steps(), nullptr, clock_.utc());
    });
}

Result<void> Engine::Impl::undo(const Job& job, const Error& error) {
    const auto& value = job.subject();
    const auto gone = trees_.remove(value.id);
    auto written = store_.write([&](store::Writer& writer) -> Result<void> {
        if (auto ended = end_all(writer, value, job.steps(), &error, clock_.utc()); !ended) return ended;
        if (!gone) {
            auto going = writer.mark_template_removing(value.id);
            return going ? Result<void>{} : std::unexpected(going.error());
        }
        if (auto deleted = writer.delete_template(value.id); !deleted) return deleted;
        return note(writer, "template.removed", value);
    });
    if (written && !gone) remove(value);  // as often as it takes
    return written;
}

void Engine::Impl::run_import(Job& job, const Wanted& wanted) {
    auto done = [&]() -> Result<void> {
        try {
            auto made = make(job, wanted);
            if (!made) return std::unexpected(made.error());
            return finish(job, wanted, *made);
        } catch (const std::exception& caught) {
            return std::unexpected(Error{.code = Errc::corrupt, .op = "import", .detail = caught.what()});
        }
    }();
    // The next daemon clears up.
    if (!done && !ending_) {
        const auto error = or_disk_full(done.error(), trees_.directory(job.subject().id).parent_path());
        spdlog::warn("import of template {}: {}", job.subject().reference(), error.to_string());
        insist(importers_, job, [&] { return undo(job, error); });
    }
    drop(job);
}

Result<void> Engine::Impl::clear(Job& job) {
    const auto& value = job.subject();
    if (auto gone = trees_.remove(value.id); !gone) return gone;
    job.add_step("removed " + value.reference());
    return store_.write([&](store::Writer& writer) -> Result<void> {
        if (auto deleted = writer.delete_template(value.id); !deleted) return deleted;
        if (auto told = note(writer, "template.removed", value); !told) return told;
        return end_all(writer, value, job.steps(), nullptr, clock_.utc());
    });
}

void Engine::Impl::import(const model::Template& value, model::TemplateRequest request, Material material) {
    auto job = add(value);
    // std::function copies what it holds, a descriptor is not copied.
    auto wanted = std::make_shared<const Wanted>(std::move(request), std::move(material));
    importers_.add([this, job = std::move(job), wanted = std::move(wanted)] { run_import(*job, *wanted); });
}

void Engine::Impl::remove(const model::Template& value) {
    auto job = add(value);
    removers_.add([this, job = std::move(job)] {
        insist(removers_, *job, [&] { return clear(*job); });
        drop(*job);
    });
}

void Engine::Impl::interrupt(TemplateId id) {
    const std::lock_guard lock(mutex_);
    if (const auto job = jobs_.find(id); job != jobs_.end()) job->second->interrupt();
}

Engine::Seen Engine::Impl::see(TemplateId id) const {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(id);
    if (job == jobs_.end()) return {};
    return {.progress = job->second->progress(), .steps = job->second->steps()};
}

Result<void> Engine::Impl::prepare() {
    auto rows =
        store::read<std::vector<model::Template>>(store_, [](store::Reader& reader) { return reader.templates(); });
    if (!rows) return std::unexpected(rows.error());
    const auto error = interrupted_by_end();
    for (auto& row : *rows) {
        if (row.state != model::TemplateState::importing) continue;
        auto failed = store_.write([&](store::Writer& writer) -> Result<void> {
            auto going = writer.mark_template_removing(row.id);
            if (!going) return std::unexpected(going.error());
            row = *std::move(going);
            return end_all(writer, row, {}, &error, clock_.utc());
        });
        if (!failed) return failed;
    }
    for (const auto& row : *rows)
        if (row.state == model::TemplateState::removing) remove(row);
    // One that was made when the daemon was killed, before it had no name any more.
    std::error_code none_yet;
    for (const auto& entry : std::filesystem::directory_iterator(uploads(), none_yet))
        if (entry.symlink_status().type() == std::filesystem::file_type::regular) ::unlink(entry.path().c_str());
    importers_.start();
    removers_.start();
    return {};
}

void Engine::Impl::stop() {
    ending_ = true;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, job] : jobs_) job->interrupt();
    }
    removers_.stop();
    importers_.stop();
}

Engine::Engine(store::Store& store, kernel::TemplateTrees& trees, kernel::RootTransfers& roots, Clock& clock,
               Options options)
    : impl_(std::make_unique<Impl>(store, trees, roots, clock, std::move(options))) {}

Engine::~Engine() {
    stop();
}

Result<void> Engine::prepare() {
    return impl_->prepare();
}

Result<void> Engine::check(const model::TemplateRequest& request) const {
    if (request.jail) return {};
    if (!request.directory.empty()) return check_directory(request.directory, impl_->options_);
    if (impl_->options_.program.empty())
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "import",
                                     .detail = "jaild-archive, which unpacks archives, is not installed",
                                     .reason = "imports_unavailable",
                                     .remedy = "install jaild as a whole: cmake --install"});
    return check_sources(request);
}

Result<Upload> Engine::begin_upload() const {
    return Upload::begin(impl_->uploads(), impl_->options_.max_bytes);
}

void Engine::import(const model::Template& value, model::TemplateRequest request, Material material) {
    impl_->import(value, std::move(request), std::move(material));
}

Result<void> Engine::check_update() const {
    return check_updater(impl_->options_);
}

void Engine::remove(const model::Template& value) {
    impl_->remove(value);
}

void Engine::interrupt(TemplateId id) {
    impl_->interrupt(id);
}

Engine::Seen Engine::see(TemplateId id) const {
    return impl_->see(id);
}

void Engine::stop() {
    impl_->stop();
}

}  // namespace jaild::templates
