#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "core/base/disk_full.h"
#include "core/jobs/end_operation.h"
#include "core/jobs/unchanged.h"
#include "core/supervisor_impl.h"
#include "core/templates/archive_program.h"

/// Jails as archives: export and import.
namespace jaild {
namespace {

using model::Snapshot;

constexpr std::string_view kTemplateField = "/spec/template";

Error refused(Errc code, std::string detail, std::string_view reason, std::string remedy, std::string field = {}) {
    return Error{.code = code,
                 .op = "transfer",
                 .detail = std::move(detail),
                 .reason = reason,
                 .field = std::move(field),
                 .remedy = std::move(remedy)};
}

/// What a jail has of its own is its tree, as far as its template can be elsewhere too.
Result<void> check_root_kind(const model::JailSpec& spec, const std::string& name, const std::string& at) {
    if (spec.root.kind == model::RootKind::path)
        return std::unexpected(refused(Errc::unsupported,
                                       fmt::format("the root of jail \"{}\" is a directory of yours", name),
                                       "path_root", "copy it with a program of yours, and create the jail there", at));
    if (spec.template_name != "host") return {};
    return std::unexpected(refused(
        Errc::unsupported, fmt::format("the programs of jail \"{}\" are its host's own, another host has others", name),
        "host_template_jail", "move a jail that is made from an imported template", at));
}

Error interrupted_import() {
    return refused(Errc::conflict, "the import was ended before it was finished; nothing is left of it",
                   "import_interrupted", "import it again");
}

/// The field of a spec is one of the archive's.
Error in_archive(Error error) {
    if (!error.field.empty() && error.field != "/name") error.field = "/spec" + error.field;
    if (error.reason == "template_unknown")
        error.remedy = "import the same template here first: jaildctl template import";
    return error;
}

bool same_sets(const std::vector<model::TemplateSet>& one, const std::vector<model::TemplateSet>& other) {
    return std::ranges::equal(one, other, {}, &model::TemplateSet::sha256, &model::TemplateSet::sha256);
}

}  // namespace

Result<void> Supervisor::Impl::check_archives() const {
    if (!archives.program.empty()) return {};
    return std::unexpected(refused(Errc::unsupported, "jaild-archive, which archives are made with, is not installed",
                                   "imports_unavailable", "install it beside jaild"));
}

Result<Supervisor::Impl::Export> Supervisor::Impl::begin_export(const Caller& caller, const model::Name& name,
                                                                const std::string& snapshot) {
    const auto row = store::read<model::Jail>(store, [&](store::Reader& reader) { return reader.jail(name); });
    if (!row) return std::unexpected(row.error());
    if (auto possible = check_root_kind(row->spec, name.text(), {}); !possible)
        return std::unexpected(possible.error());
    const auto prepared = kernel.roots().prepared(row->id);
    if (!prepared) return std::unexpected(prepared.error());
    const auto readable = kernel.root_transfers().readable(row->id);
    if (!readable) return std::unexpected(readable.error());
    return store::write<Export>(store, [&](store::Writer& writer) -> Result<Export> {
        auto jail = writer.jail(name);
        if (!jail) return std::unexpected(jail.error());
        if (auto whole = check_root_free(*jail); !whole) return std::unexpected(whole.error());
        if (!*prepared || jail->id != row->id)
            return std::unexpected(refused(Errc::conflict, fmt::format("jail \"{}\" has no root yet", name.text()),
                                           "root_not_made", fmt::format("start it: jaildctl start {}", name.text())));
        Export what{.jail = *jail};
        const bool down = !jail->spec.running && reconciler.status(*jail).state == model::JailState::stopped;
        if (!snapshot.empty()) {
            auto named = writer.find_snapshot(jail->id, snapshot);
            if (!named) return std::unexpected(named.error());
            if (auto ready = check_ready(*named); !ready) return std::unexpected(ready.error());
            what.snapshot = *std::move(named);
        } else if (!down || !*readable) {
            auto made = writer.insert_snapshot(
                snapshot_of(*jail, free_snapshot_name(writer, *jail, "export-" + model::snapshot_name_of(clock.utc())),
                            model::SnapshotReason::transfer));
            if (!made) return std::unexpected(made.error());
            what.snapshot = *std::move(made);
            what.temporary = true;
        }
        transfer::Metadata metadata{.name = jail->name,
                                    .spec = jail->spec,
                                    .sets = {},
                                    .system = facts.os,
                                    .snapshot = what.temporary || !what.snapshot ? "" : what.snapshot->name,
                                    .exported_at = clock.utc().to_string(),
                                    .version = facts.version};
        if (what.snapshot) metadata.spec.template_name = what.snapshot->template_name;
        const auto base = what.snapshot ? what.snapshot->base : jail->base.value_or(model::JailBase{}).id;
        auto of = writer.find_template(base);
        if (!of) return std::unexpected(of.error());
        metadata.sets = of->sets;
        what.metadata = transfer::to_text(metadata);
        if (what.metadata.size() > archive::kMetadataBytes)
            return std::unexpected(
                refused(Errc::unsupported,
                        fmt::format("the spec is of more than {} bytes, which no archive has room for",
                                    archive::kMetadataBytes),
                        "spec_too_large", "make env and command smaller: put what they hold into files of the jail"));
        auto audited = writer.append_audit({.principal = caller.principal,
                                            .action = "jail.export",
                                            .object = jail->name.text(),
                                            .outcome = "accepted"});
        if (!audited) return std::unexpected(audited.error());
        return what;
    });
}

/// What was read was not changed meanwhile.
Result<void> Supervisor::Impl::check_same(const Export& what) {
    return store.read([&](store::Reader& reader) -> Result<void> {
        Result<const char*> changed = nullptr;
        if (!what.snapshot) {
            changed = jobs::changed_since(reader, what.jail);
            if (!changed) return std::unexpected(changed.error());
        } else {
            const auto now = reader.find_snapshot(what.snapshot->id);
            if (!now && now.error().code != Errc::not_found) return std::unexpected(now.error());
            if (!now || now->state != model::SnapshotState::ready) changed = "removed";
        }
        if (*changed == nullptr) return {};
        return std::unexpected(
            refused(Errc::conflict,
                    fmt::format("{} was {} while it was exported",
                                what.snapshot ? what.snapshot->reference() : "jail \"" + what.jail.name.text() + "\"",
                                *changed),
                    "jail_changed", "export it again, and leave it as it is until that is done"));
    });
}

Result<archive::Done> Supervisor::Impl::write_archive(const Export& what, int target,
                                                      const std::function<bool()>& interrupted) {
    const kernel::SnapshotKey key{.jail = what.jail.id, .id = what.snapshot ? what.snapshot->id : SnapshotId{}};
    if (what.temporary) {
        const auto go_on = [&](const kernel::SnapshotSize&) { return !interrupted(); };
        const auto size = kernel.snapshots().take(key, go_on);
        if (!size) return std::unexpected(or_disk_full(size.error()));
        auto taken = store::write<Snapshot>(store, [&](store::Writer& writer) {
            return writer.finish_snapshot(key.id, model::SnapshotSize{.entries = size->entries, .bytes = size->bytes});
        });
        if (!taken) return std::unexpected(taken.error());
    }
    auto& transfers = kernel.root_transfers();
    const auto tree = what.snapshot ? transfers.open(key) : transfers.open(what.jail.id);
    if (!tree) return std::unexpected(tree.error());
    const templates::ArchiveProgram program(archives.program);
    const auto watch = [&](const archive::Report& report) {
        if (const auto* warning = std::get_if<archive::Warning>(&report))
            spdlog::info("export of jail {}: {}", what.jail.name.text(), warning->text);
    };
    auto packed = program.pack(tree->directory.get(), what.metadata, target, watch, interrupted);
    if (!packed) return packed;
    if (auto same = check_same(what); !same) return std::unexpected(same.error());
    return packed;
}

void Supervisor::Impl::drop_snapshot(const Snapshot& snapshot) {
    auto going = store::write<Snapshot>(
        store, [&](store::Writer& writer) { return writer.mark_snapshot_removing(snapshot.id); });
    if (going) {
        snapshots.remove(*going);
    } else if (going.error().code != Errc::not_found) {  // it went with its jail
        spdlog::warn("snapshot {} goes when jaild is started again: {}", snapshot.reference(),
                     going.error().to_string());
    }
}

Result<archive::Done> Supervisor::export_jail(const Caller& caller, const model::Name& name,
                                              const std::string& snapshot, int target,
                                              const std::function<bool()>& interrupted) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.export"); !allowed)
        return std::unexpected(allowed.error());
    if (auto possible = impl_->check_archives(); !possible) return std::unexpected(possible.error());
    const auto what = impl_->begin_export(caller, name, snapshot);
    if (!what) return std::unexpected(what.error());
    auto done = impl_->write_archive(*what, target, interrupted);
    if (what->temporary) impl_->drop_snapshot(*what->snapshot);
    return done;
}

Result<void> Supervisor::Impl::check_archive(const transfer::Metadata& metadata) {
    const auto& spec = metadata.spec;
    const auto* const at = spec.root.kind == model::RootKind::path ? "/spec/root/kind" : "/spec/template";
    if (auto possible = check_root_kind(spec, metadata.name.text(), at); !possible) return possible;
    if (metadata.system != facts.os)
        return std::unexpected(refused(
            Errc::invalid, fmt::format("the jail's programs are of {}, and this is {}", metadata.system, facts.os),
            "another_system", "import it on a host of that system", "/system"));
    auto reference = model::TemplateRef::parse(spec.template_name, std::string(kTemplateField));
    if (!reference) return std::unexpected(reference.error());
    return store.read([&](store::Reader& reader) -> Result<void> {
        const auto here = reader.find_template(*reference);
        if (!here && here.error().code == Errc::not_found)
            return std::unexpected(refused(
                Errc::invalid, fmt::format("the jail is made from template {}, which is not here", spec.template_name),
                "template_unknown",
                fmt::format("import it here first, from the same archives: jaildctl template import {} ...",
                            spec.template_name),
                std::string(kTemplateField)));
        if (!here) return std::unexpected(here.error());
        if (metadata.sets.empty() || here->sets.empty() || same_sets(metadata.sets, here->sets)) return {};
        return std::unexpected(
            refused(Errc::conflict,
                    fmt::format("template {} was made from other archives here than where the jail is from",
                                spec.template_name),
                    "template_differs", "import the one that the jail was made from, under a version of its own",
                    std::string(kTemplateField)));
    });
}

Result<void> Supervisor::Impl::finish_import(Accepted& accepted, const archive::Done& unpacked) {
    const auto id = accepted.jail.id;
    return store.write([&](store::Writer& writer) -> Result<void> {
        const auto jail = writer.jail(id);
        if (!jail && jail.error().code != Errc::not_found) return std::unexpected(jail.error());
        const auto operation = writer.operation(accepted.operation);
        if (!operation) return std::unexpected(operation.error());
        if (!jail || jail->removing || operation->state != model::OperationState::running)
            return std::unexpected(interrupted_import());
        auto ready = writer.end_root_change(id);
        if (!ready) return std::unexpected(ready.error());
        accepted.jail = *std::move(ready);
        const nlohmann::json data{
            {"id", id.value}, {"entries", unpacked.count.entries}, {"bytes", unpacked.count.bytes}};
        auto event = writer.append_event("jail.imported", accepted.jail.name.text(), accepted.operation, data.dump());
        return event ? Result<void>{} : std::unexpected(event.error());
    });
}

void Supervisor::Impl::undo_import(const Accepted& accepted, const Error& error) {
    const auto id = accepted.jail.id;
    std::optional<model::Jail> going;
    auto written = store.write([&](store::Writer& writer) -> Result<void> {
        auto jail = writer.jail(id);
        if (!jail) return jail.error().code == Errc::not_found ? Result<void>{} : std::unexpected(jail.error());
        auto marked = writer.mark_removing(id);
        if (!marked) return std::unexpected(marked.error());
        going = *std::move(marked);
        const auto operation = writer.operation(accepted.operation);
        if (!operation) return std::unexpected(operation.error());
        if (operation->state != model::OperationState::running) return {};
        return jobs::end_operation(writer, *operation, model::OperationState::failed, model::to_problem(error), {},
                                   clock.utc());
    });
    if (!written)
        spdlog::warn("what is left of jail {} goes when jaild is started again: {}", accepted.jail.name.text(),
                     written.error().to_string());
    if (written && going) {
        cache.put(*going);
        reconciler.interrupt(id);
    }
    // It was removed before its directory was made.
    if (written && !going)
        if (auto gone = kernel.roots().remove(id); !gone) spdlog::warn("{}", gone.error().to_string());
}

Result<Accepted> Supervisor::import_jail(const Caller& caller, ImportRequest request, int source,
                                         const std::function<bool()>& interrupted) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.import"); !allowed)
        return std::unexpected(allowed.error());
    if (auto possible = impl_->check_archives(); !possible) return std::unexpected(possible.error());
    auto place = impl_->kernel.root_transfers().import();
    if (!place) return std::unexpected(or_disk_full(place.error()));

    std::optional<Accepted> accepted;
    std::shared_ptr<jobs::Job> job;
    const auto accept = [&](const std::string& text) -> Result<void> {
        auto metadata = transfer::parse(text);
        if (!metadata) return std::unexpected(metadata.error());
        if (request.name) metadata->name = *request.name;
        if (request.running) metadata->spec.running = *request.running;
        if (auto fits = impl_->check_archive(*metadata); !fits) return fits;
        const auto root = metadata->spec.root;
        auto made = impl_->create(caller, {.name = metadata->name, .spec = std::move(metadata->spec)}, DryRun::no, {},
                                  Impl::OfArchive{});
        if (!made) return std::unexpected(in_archive(made.error()));
        accepted = *std::move(made);
        job = impl_->imports.add(accepted->jail.id);
        return (*place)->begin(accepted->jail.id, root);
    };
    const auto watch = [&](const archive::Report& report) {
        if (const auto* warning = std::get_if<archive::Warning>(&report))
            spdlog::info("import of jail {}: not kept: {}", accepted ? accepted->jail.name.text() : "", warning->text);
        const auto* count = std::get_if<archive::Count>(&report);
        if (count == nullptr || !job) return;
        job->show({.phase = "unpacking",
                   .item = accepted->jail.name.text(),
                   .done = count->read,
                   .bytes = count->bytes,
                   .entries = count->entries});
    };
    const templates::ArchiveProgram program(impl_->archives.program);
    const auto unpacked = program.unpack_jail(
        source, (*place)->directory(), {.bytes = impl_->archives.max_bytes, .entries = impl_->archives.max_entries},
        accept, watch, [&] { return interrupted() || (job && job->interrupted()); });
    auto done = unpacked ? (*place)->finish() : std::unexpected(unpacked.error());
    if (done) done = impl_->finish_import(*accepted, *unpacked);
    place->reset();  // what it takes up can be what is missing for the rest
    if (accepted) impl_->imports.drop(accepted->jail.id);
    if (!done) {
        const auto error = done.error().reason == "interrupted" ? interrupted_import() : or_disk_full(done.error());
        if (accepted) impl_->undo_import(*accepted, error);
        return std::unexpected(error);
    }
    impl_->committed(*accepted);
    accepted->jail = impl_->with_status(std::move(accepted->jail));
    return *std::move(accepted);
}

Result<void> Supervisor::Impl::end_imports(std::vector<model::Jail>& rows) {
    const auto error =
        refused(Errc::conflict, "jaild ended before the import was finished; what there was of it is removed",
                "import_interrupted", "import it again");
    for (auto& row : rows) {
        if (!row.unpacking()) continue;
        auto ended = store.write([&](store::Writer& writer) -> Result<void> {
            auto going = writer.mark_removing(row.id);
            if (!going) return std::unexpected(going.error());
            row = *std::move(going);
            auto running = writer.running_operations(row.id);
            if (!running) return std::unexpected(running.error());
            for (const auto& operation : *running)
                if (operation.kind == "import")
                    if (auto told = jobs::end_operation(writer, operation, model::OperationState::failed,
                                                        model::to_problem(error), {}, clock.utc());
                        !told)
                        return told;
            return {};
        });
        if (!ended) return ended;
    }
    return {};
}

}  // namespace jaild
