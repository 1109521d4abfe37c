#include "core/templates/import.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/ascii.h"
#include "core/base/sha256.h"
#include "core/model/manifest.h"
#include "core/templates/download.h"
#include "core/templates/upload.h"

namespace jaild::templates {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;
constexpr std::uint64_t kManifestBytes = 1 << 20;

struct Source {
    UniqueFd file;
    std::uint64_t bytes = 0;
};

/// Where an import happens.
struct Place {
    const std::filesystem::path& directory;
    int root;
    Job& job;
    const Options& options;
    int upload;
};

Result<std::string> read_all(int file) {
    std::string text;
    std::vector<char> buffer(kBlock);
    while (true) {
        const auto got = ::read(file, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        if (got == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<Source> open_source(const model::SetSource& set) {
    // O_NONBLOCK: a FIFO is found out below, not by waiting for its writer.
    Source source{.file = UniqueFd(::open(set.file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC))};
    if (!source.file) {
        auto error = Error::from_errno("open", errno, set.file);
        if (errno == ENOENT || errno == ENOTDIR) error.reason = "file_not_found";
        if (error.code == Errc::not_found || errno == ENOTDIR) error.code = Errc::invalid;
        return std::unexpected(std::move(error));
    }
    struct stat seen {};
    if (::fstat(source.file.get(), &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, set.file));
    if (!S_ISREG(seen.st_mode))
        return std::unexpected(Error::invalid("not_a_file", {}, set.file + " is not a regular file"));
    source.bytes = static_cast<std::uint64_t>(seen.st_size);
    return source;
}

/// What a client sent, which is whole.
Result<Source> uploaded(int upload) {
    Source source{.file = UniqueFd(::fcntl(upload, F_DUPFD_CLOEXEC, 0))};
    if (!source.file) return std::unexpected(Error::from_errno("fcntl", errno));
    struct stat seen {};
    if (::fstat(upload, &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno));
    source.bytes = static_cast<std::uint64_t>(seen.st_size);
    return source;
}

Result<Source> fetch(const std::string& url, const std::string& item, std::uint64_t most, const Place& place) {
    auto file = nameless_file(place.directory);
    if (!file) return std::unexpected(file.error());
    const auto before = place.job.progress().value_or(model::Progress{});
    const auto watch = [&](std::uint64_t done, std::uint64_t total) {
        place.job.show({.phase = "downloading",
                        .item = item,
                        .done = done,
                        .total = total,
                        .bytes = before.bytes,
                        .entries = before.entries});
    };
    watch(0, 0);
    const auto bytes = download(url, file->get(), {.bytes = most, .stall = place.options.download_stall}, watch,
                                [&] { return place.job.interrupted(); });
    if (!bytes) return std::unexpected(bytes.error());
    if (::lseek(file->get(), 0, SEEK_SET) != 0) return std::unexpected(Error::from_errno("lseek", errno));
    place.job.add_step(fmt::format("downloaded {}: {} bytes", item, *bytes));
    return Source{.file = *std::move(file), .bytes = *bytes};
}

/// The sets with the checksums of the request's MANIFEST.
Result<std::vector<model::SetSource>> with_checksums(const model::TemplateRequest& request, const Place& place) {
    auto sets = request.sets;
    if (request.manifest.empty()) return sets;
    const auto source = fetch(request.manifest, "MANIFEST", kManifestBytes, place);
    if (!source) return std::unexpected(source.error());
    const auto text = read_all(source->file.get());
    if (!text) return std::unexpected(text.error());
    const auto known = model::parse_manifest(*text);
    if (!known)
        return std::unexpected(
            Error::invalid("manifest_unreadable", {}, request.manifest + " is no MANIFEST of archives"));
    for (auto& set : sets) {
        const auto named = known->find(set.name());
        if (named == known->end())
            return std::unexpected(
                Error::invalid("manifest_incomplete", {}, "the MANIFEST does not name " + set.name()));
        set.sha256 = to_lower(named->second);
    }
    return sets;
}

Error mismatch(const model::SetSource& set, const std::string& found, std::string_view what) {
    return Error{.code = Errc::invalid,
                 .op = "import",
                 .detail = fmt::format("{} {}: its SHA-256 is {}, not {}", set.place(), what, found, set.sha256),
                 .reason = "checksum_mismatch",
                 .field = {},
                 .remedy = "get the archive again, or correct the checksum"};
}

/// Before anything is unpacked.
Result<void> check_sum(const model::SetSource& set, const Source& source, Job& job) {
    if (set.sha256.empty()) return {};
    Sha256 hash;
    std::vector<char> buffer(kBlock);
    model::Progress progress{.phase = "checking", .item = set.name(), .total = source.bytes};
    while (true) {
        if (job.interrupted()) return std::unexpected(interrupted_error());
        const auto got = ::read(source.file.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno, set.place()));
        if (got == 0) break;
        hash.add({buffer.data(), static_cast<std::size_t>(got)});
        progress.done += static_cast<std::uint64_t>(got);
        job.show(progress);
    }
    const auto found = to_hex(hash.finish());
    if (found != set.sha256) return std::unexpected(mismatch(set, found, "is not what was asked for"));
    job.add_step("checked " + set.name());
    if (::lseek(source.file.get(), 0, SEEK_SET) != 0) return std::unexpected(Error::from_errno("lseek", errno));
    return {};
}

/// Shows what the program says of one archive, after `before`.
ArchiveProgram::Watch watch_of(const std::string& item, const Source& source, const model::Template& before, Job& job) {
    return [&, item](const archive::Report& report) {
        if (const auto* warning = std::get_if<archive::Warning>(&report)) job.add_step("not kept: " + warning->text);
        const auto* count = std::get_if<archive::Count>(&report);
        if (count == nullptr) return;
        job.show({.phase = "unpacking",
                  .item = item,
                  .done = count->read,
                  .total = source.bytes,
                  .bytes = before.bytes + count->bytes,
                  .entries = before.entries + count->entries});
    };
}

Result<Source> source_of(const model::SetSource& set, const Place& place) {
    if (set.uploaded) return uploaded(place.upload);
    return set.url.empty() ? open_source(set) : fetch(set.url, set.name(), place.options.max_bytes, place);
}

Result<void> import_set(const model::SetSource& set, const Place& place, model::Template& value) {
    auto& job = place.job;
    const auto& options = place.options;
    auto source = source_of(set, place);
    if (!source) return std::unexpected(source.error());
    if (auto same = check_sum(set, *source, job); !same) return same;
    const ArchiveProgram program(options.program);
    const archive::Limits left{.bytes = options.max_bytes - value.bytes,
                               .entries = options.max_entries - value.entries};
    job.show({.phase = "unpacking",
              .item = set.name(),
              .total = source->bytes,
              .bytes = value.bytes,
              .entries = value.entries});
    const auto done = program.unpack(source->file.get(), place.root, left, watch_of(set.name(), *source, value, job),
                                     [&] { return job.interrupted(); });
    if (!done) return std::unexpected(done.error());
    // Whoever owns the file can have written to it since it was checked.
    if (!set.sha256.empty() && done->sha256 != set.sha256)
        return std::unexpected(mismatch(set, done->sha256, "was changed while it was unpacked"));
    value.bytes += done->count.bytes;
    value.entries += done->count.entries;
    value.sets.push_back({.name = set.name(), .sha256 = done->sha256, .bytes = done->count.read});
    job.add_step(fmt::format("unpacked {}: {} entries, {} bytes", set.name(), done->count.entries, done->count.bytes));
    return {};
}

}  // namespace

Result<void> check_sources(const model::TemplateRequest& request) {
    for (std::size_t i = 0; i < request.sets.size(); ++i) {
        if (request.sets[i].file.empty()) continue;
        auto source = open_source(request.sets[i]);
        if (source) continue;
        source.error().field = fmt::format("/sets/{}/file", i);
        return std::unexpected(source.error());
    }
    return {};
}

Result<model::Template> import_sets(const model::TemplateRequest& request, const std::filesystem::path& directory,
                                    int root, int upload, Job& job, const Options& options) {
    const Place place{.directory = directory, .root = root, .job = job, .options = options, .upload = upload};
    const auto sets = with_checksums(request, place);
    if (!sets) return std::unexpected(sets.error());
    auto value = job.subject();
    for (const auto& set : *sets)
        if (auto imported = import_set(set, place, value); !imported) return std::unexpected(imported.error());
    return value;
}

}  // namespace jaild::templates
