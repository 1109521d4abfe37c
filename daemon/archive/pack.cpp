#include "daemon/archive/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/sha256.h"
#include "core/base/tree_walk.h"
#include "core/base/utf8.h"
#include "core/templates/archive/entry_rules.h"
#include "daemon/archive/export_format.h"

namespace jaild::archive {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::chrono::milliseconds kSayEvery{200};
constexpr std::size_t kToldLeftOut = 16;
/// libarchive takes holes as zeros: with a file that is one hole of exabytes it would never come to an end.
constexpr std::int64_t kMaxFile = std::int64_t{1} << 44;

struct FreeArchive {
    void operator()(::archive* value) const { ::archive_free(value); }
};
struct FreeEntry {
    void operator()(archive_entry* value) const { ::archive_entry_free(value); }
};
using Handle = std::unique_ptr<::archive, FreeArchive>;
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

/// A filter that this libarchive was built without would run a program of that name.
bool can_write(int (*filter)(::archive*)) {
    const Handle scratch(::archive_write_new());
    return scratch && filter(scratch.get()) == ARCHIVE_OK;
}

class Packing : public files::TreeVisitor {
public:
    Packing(int descriptor, const Tell& tell, std::uint64_t mount)
        : descriptor_(descriptor), tell_(tell), walk_(*this, mount) {}
    Result<Done> run(const std::string& metadata);

    [[nodiscard]] std::string_view op() const override { return "pack"; }
    Result<Into> enter(int directory, const std::string& name) override;
    Result<Next> entry(int directory, const std::string& name) override;
    Result<Next> replaced(int, const std::string&) override { return std::unexpected(walk_.moved()); }
    Result<Next> left(int parent, const std::string& name) override;

private:
    static la_ssize_t write_some(::archive*, void* self, const void* buffer, std::size_t size);
    Result<void> open();
    Result<void> plain(std::string_view name, std::string_view text);
    /// With all that the tree's file has; `file` is -1 for what is not opened.
    Result<Entry> describe(const std::string& path, const struct stat& seen, int file);
    Result<void> file(int directory, const std::string& name, const struct stat& seen);
    Result<void> small(int directory, const std::string& name, const struct stat& seen);
    Result<void> header(const Entry& entry);
    Result<void> contents(const Entry& entry, int file, const std::string& path);
    Result<void> data(int file, std::int64_t from, std::int64_t to, const std::string& path);
    Result<void> hole(std::int64_t length);
    Result<void> write(const void* data, std::size_t size);
    [[nodiscard]] std::string path(const std::string& name) const { return path_.empty() ? name : path_ + "/" + name; }
    [[nodiscard]] static std::string in_archive(const std::string& path);
    [[nodiscard]] Error cannot_write() const;
    [[nodiscard]] static Error failed(std::string_view op, const std::string& path);
    [[nodiscard]] Error failed_to_take(std::string_view op, const std::string& path) const;
    void left_out(const std::string& path);
    void tell_now_and_then();

    int descriptor_;
    const Tell& tell_;
    files::TreeWalk walk_;
    Handle disk_{::archive_read_disk_new()};
    Handle target_{::archive_write_new()};
    std::vector<char> buffer_ = std::vector<char>(kPiece);
    std::vector<char> zeros_ = std::vector<char>(kPiece);
    std::map<std::pair<dev_t, ino_t>, std::string> links_{};  ///< files of several names: the first
    EntryDigest digest_{};
    Sha256 hash_{};
    Count count_{};
    std::string path_{};  ///< of the current directory, relative to the tree
    bool begun_ = false;
    bool reader_gone_ = false;
    std::size_t left_out_ = 0;
    std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

la_ssize_t Packing::write_some(::archive* target, void* self, const void* buffer, std::size_t size) {
    auto& mine = *static_cast<Packing*>(self);
    ssize_t put = -1;
    do {
        put = ::write(mine.descriptor_, buffer, size);
    } while (put < 0 && errno == EINTR);
    if (put < 0) {
        mine.reader_gone_ = errno == EPIPE;
        ::archive_set_error(target, errno, "it cannot be written");
        return -1;
    }
    mine.hash_.add({static_cast<const char*>(buffer), static_cast<std::size_t>(put)});
    mine.count_.read += static_cast<std::uint64_t>(put);
    return put;
}

std::string Packing::in_archive(const std::string& path) {
    return path.empty() ? std::string(kRootName) : std::string(kRootName) + "/" + path;
}

Error Packing::cannot_write() const {
    const char* const said = ::archive_error_string(target_.get());
    return Error{.code = Errc::kernel,
                 .op = "pack",
                 .sys = std::max(::archive_errno(target_.get()), 0),
                 .detail = "the archive cannot be written: " + printable(said == nullptr ? "" : said),
                 .reason = reader_gone_ ? "reader_gone" : "pack_failed"};
}

Error Packing::failed(std::string_view op, const std::string& path) {
    auto error = Error::from_errno(op, errno, "\"" + printable(path) + "\"");
    error.code = Errc::kernel;
    error.reason = "pack_failed";
    return error;
}

/// By its name, after it was looked at.
Error Packing::failed_to_take(std::string_view op, const std::string& path) const {
    // Gone, a link, or no link any more (EMLINK: FreeBSD's word for one that O_NOFOLLOW met).
    const bool another = errno == ENOENT || errno == ELOOP || errno == EMLINK || errno == EINVAL || errno == ENXIO;
    return another ? walk_.moved() : failed(op, path);
}

void Packing::left_out(const std::string& path) {
    if (++left_out_ > kToldLeftOut) return;
    tell_(Warning{.text = "\"" + printable(path) + "\": a socket or a device, left out"});
}

void Packing::tell_now_and_then() {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kSayEvery) return;
    told_ = now;
    tell_(count_);
}

Result<void> Packing::open() {
    if (!disk_ || !target_) return std::unexpected(Error::from_errno("archive_write_new", ENOMEM));
    bool good = ::archive_write_set_format_pax(target_.get()) == ARCHIVE_OK;
    if (can_write(::archive_write_add_filter_zstd))
        good = good && ::archive_write_add_filter_zstd(target_.get()) == ARCHIVE_OK;
    else if (can_write(::archive_write_add_filter_gzip))
        good = good && ::archive_write_add_filter_gzip(target_.get()) == ARCHIVE_OK;
    good = good && ::archive_write_set_bytes_in_last_block(target_.get(), 1) == ARCHIVE_OK;
    good = good && ::archive_write_open(target_.get(), this, nullptr, write_some, nullptr) == ARCHIVE_OK;
    if (!good) return std::unexpected(cannot_write());
    return {};
}

Result<void> Packing::write(const void* data, std::size_t size) {
    const auto* at = static_cast<const char*>(data);
    while (size > 0) {
        const auto put = ::archive_write_data(target_.get(), at, size);
        if (put <= 0) return std::unexpected(cannot_write());
        at += put;
        size -= static_cast<std::size_t>(put);
    }
    return {};
}

/// An entry of the archive's own.
Result<void> Packing::plain(std::string_view name, std::string_view text) {
    const Entry entry(::archive_entry_new());
    if (!entry) return std::unexpected(Error::from_errno("archive_entry_new", ENOMEM));
    ::archive_entry_copy_pathname(entry.get(), std::string(name).c_str());
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
    ::archive_entry_set_perm(entry.get(), 0600);
    ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(text.size()));
    if (::archive_write_header(target_.get(), entry.get()) != ARCHIVE_OK) return std::unexpected(cannot_write());
    return write(text.data(), text.size());
}

Result<Entry> Packing::describe(const std::string& path, const struct stat& seen, int file) {
    const auto named = clean_name(in_archive(path), Contents::jail);
    if (!named) return std::unexpected(named.error());
    Entry entry(::archive_entry_new());
    if (!entry) return std::unexpected(Error::from_errno("archive_entry_new", ENOMEM));
    ::archive_entry_copy_pathname(entry.get(), named->c_str());
    if (file < 0) {
        ::archive_entry_copy_stat(entry.get(), &seen);
        return entry;
    }
    // ACLs of a directory are read by path; nobody changes the tree, and beneath it is all that there is.
    ::archive_entry_copy_sourcepath(entry.get(), path.empty() ? "." : path.c_str());
    const int status = ::archive_read_disk_entry_from_file(disk_.get(), entry.get(), file, &seen);
    if (status < ARCHIVE_WARN) {
        errno = ::archive_errno(disk_.get());
        return std::unexpected(failed("archive_read_disk_entry_from_file", path));
    }
    return entry;
}

Result<void> Packing::header(const Entry& entry) {
    ++count_.entries;
    // Before libarchive adds a slash to the name of a directory.
    digest_.add(entry.get(), ::archive_entry_pathname(entry.get()));
    const int status = ::archive_write_header(target_.get(), entry.get());
    if (status < ARCHIVE_WARN) return std::unexpected(cannot_write());
    // Bytes that are not UTF-8 are kept as they are, and warned of nevertheless.
    const char* const link = ::archive_entry_symlink(entry.get());
    if (status == ARCHIVE_WARN && is_utf8(::archive_entry_pathname(entry.get())) && is_utf8(link ? link : "")) {
        const char* const said = ::archive_error_string(target_.get());
        tell_(Warning{.text = printable(said == nullptr ? "" : said)});
    }
    tell_now_and_then();
    return {};
}

Result<void> Packing::data(int file, std::int64_t from, std::int64_t to, const std::string& path) {
    while (from < to) {
        const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(to - from, kPiece));
        const auto got = ::pread(file, buffer_.data(), wanted, from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(failed("pread", path));
        if (got == 0) return std::unexpected(walk_.moved());
        const auto size = static_cast<std::size_t>(got);
        if (auto written = write(buffer_.data(), size); !written) return written;
        digest_.add_data({buffer_.data(), size});
        count_.bytes += size;
        from += got;
        tell_now_and_then();
    }
    return {};
}

/// libarchive takes holes as zeros, and leaves them out.
Result<void> Packing::hole(std::int64_t length) {
    while (length > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::int64_t>(length, kPiece));
        if (auto written = write(zeros_.data(), size); !written) return written;
        length -= static_cast<std::int64_t>(size);
    }
    return {};
}

Result<void> Packing::contents(const Entry& entry, int file, const std::string& path) {
    const auto size = ::archive_entry_size(entry.get());
    if (::archive_entry_sparse_reset(entry.get()) == 0) return data(file, 0, size, path);
    std::int64_t at = 0;
    la_int64_t from = 0;
    la_int64_t length = 0;
    while (::archive_entry_sparse_next(entry.get(), &from, &length) == ARCHIVE_OK) {
        if (auto done = hole(from - at); !done) return done;
        if (auto done = data(file, from, from + length, path); !done) return done;
        at = from + length;
    }
    return hole(size - at);
}

Result<void> Packing::file(int directory, const std::string& name, const struct stat& seen) {
    const auto where = path(name);
    const auto first = seen.st_nlink > 1 ? links_.find({seen.st_dev, seen.st_ino}) : links_.end();
    if (first != links_.end()) {
        const auto entry = describe(where, seen, -1);
        if (!entry) return std::unexpected(entry.error());
        ::archive_entry_copy_hardlink(entry->get(), in_archive(first->second).c_str());
        ::archive_entry_unset_size(entry->get());
        return header(*entry);
    }
    if (seen.st_size > kMaxFile)
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "pack",
                                     .detail = "\"" + printable(where) + "\" says that it has " +
                                               std::to_string(seen.st_size) + " bytes, more than an archive takes",
                                     .reason = "entry_refused"});
    // It was a regular file a moment ago; if not any more, this neither waits nor goes astray.
    const UniqueFd opened(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!opened) return std::unexpected(failed_to_take("openat", where));
    struct stat now {};
    if (::fstat(opened.get(), &now) != 0) return std::unexpected(failed("fstat", where));
    if (!S_ISREG(now.st_mode) || now.st_ino != seen.st_ino || now.st_dev != seen.st_dev)
        return std::unexpected(walk_.moved());
    const auto entry = describe(where, now, opened.get());
    if (!entry) return std::unexpected(entry.error());
    if (auto written = header(*entry); !written) return written;
    if (seen.st_nlink > 1) links_.emplace(std::pair(seen.st_dev, seen.st_ino), where);
    return contents(*entry, opened.get(), where);
}

/// Symbolic links and FIFOs.
Result<void> Packing::small(int directory, const std::string& name, const struct stat& seen) {
    const auto where = path(name);
    const auto entry = describe(where, seen, -1);
    if (!entry) return std::unexpected(entry.error());
    ::archive_entry_set_size(entry->get(), 0);
    if (!S_ISLNK(seen.st_mode)) return header(*entry);
    std::array<char, PATH_MAX + 1> text{};
    const auto length = ::readlinkat(directory, name.c_str(), text.data(), text.size() - 1);
    if (length < 0) return std::unexpected(failed_to_take("readlinkat", where));
    if (auto good = check_symbolic_link(where, text.data(), Contents::jail); !good) return good;
    ::archive_entry_copy_symlink(entry->get(), text.data());
    return header(*entry);
}

Result<files::TreeVisitor::Next> Packing::entry(int directory, const std::string& name) {
    struct stat seen {};
    if (::fstatat(directory, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
        return std::unexpected(failed_to_take("fstatat", path(name)));
    Result<void> done;
    if (S_ISREG(seen.st_mode))
        done = file(directory, name, seen);
    else if (S_ISLNK(seen.st_mode) || S_ISFIFO(seen.st_mode))
        done = small(directory, name, seen);
    else if (S_ISDIR(seen.st_mode))
        done = std::unexpected(walk_.moved());
    else
        left_out(path(name));
    if (!done) return std::unexpected(done.error());
    return Next::on;
}

Result<files::TreeVisitor::Into> Packing::enter(int directory, const std::string& name) {
    if (std::exchange(begun_, true)) path_ = path(name);
    struct stat seen {};
    if (::fstat(directory, &seen) != 0) return std::unexpected(failed("fstat", path_));
    const auto entry = describe(path_, seen, directory);
    if (!entry) return std::unexpected(entry.error());
    ::archive_entry_set_size(entry->get(), 0);
    if (auto written = header(*entry); !written) return std::unexpected(written.error());
    return Into::contents;
}

Result<files::TreeVisitor::Next> Packing::left(int, const std::string& name) {
    path_.resize(path_.size() - std::min(path_.size(), name.size() + 1));
    return Next::on;
}

Result<Done> Packing::run(const std::string& metadata) {
    if (auto opened = open(); !opened) return std::unexpected(opened.error());
    if (auto begun = plain(kMetadataName, metadata); !begun) return std::unexpected(begun.error());
    digest_.add_data(metadata);
    if (auto walked = walk_.run(AT_FDCWD, "."); !walked) return std::unexpected(walked.error());
    if (left_out_ > kToldLeftOut)
        tell_(Warning{.text = std::to_string(left_out_ - kToldLeftOut) + " sockets and devices more, left out"});
    if (auto ended = plain(kSumName, digest_.finish()); !ended) return std::unexpected(ended.error());
    if (::archive_write_close(target_.get()) != ARCHIVE_OK) return std::unexpected(cannot_write());
    return Done{.count = count_, .sha256 = to_hex(hash_.finish())};
}

}  // namespace

Result<Done> pack(const std::string& metadata, int descriptor, const Tell& tell) {
    const auto home = files::identify(AT_FDCWD, ".");
    if (!home) return std::unexpected(home.error());
    const auto packing = std::make_unique<Packing>(descriptor, tell, home->mount);
    return packing->run(metadata);
}

}  // namespace jaild::archive
