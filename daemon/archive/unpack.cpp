#include "daemon/archive/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "core/base/sha256.h"
#include "daemon/archive/export_format.h"

namespace jaild::archive {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;
constexpr std::chrono::milliseconds kTellEvery{200};
constexpr std::size_t kWarnings = 16;  ///< that are told; the rest are like them

constexpr int kKeep = ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL |
                      ARCHIVE_EXTRACT_FFLAGS | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_CLEAR_NOCHANGE_FFLAGS;
/// Entries are judged here already; a second look costs little.
constexpr int kSecure =
    ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

constexpr std::string_view kUnreadable = "archive_unreadable";

struct FreeReader {
    void operator()(::archive* value) const { ::archive_read_free(value); }
};
struct FreeWriter {
    void operator()(::archive* value) const { ::archive_write_free(value); }
};

EntryKind kind_of(archive_entry* entry) {
    if (::archive_entry_hardlink(entry) != nullptr) return EntryKind::hard_link;
    switch (::archive_entry_filetype(entry)) {
        case AE_IFREG:
            return EntryKind::file;
        case AE_IFDIR:
            return EntryKind::directory;
        case AE_IFLNK:
            return EntryKind::symbolic_link;
        case AE_IFIFO:
            return EntryKind::fifo;
        default:
            return EntryKind::other;
    }
}

/// A filter that this libarchive was built without would run a program of that name: of the tree, which the archive
/// before may have brought along.
bool is_built_in(int (*support)(::archive*)) {
    const std::unique_ptr<::archive, FreeReader> scratch(::archive_read_new());
    return scratch && support(scratch.get()) == ARCHIVE_OK;
}

/// What is wrong with the entry, not with the disk: a hard link to nothing, a file in place of a directory.
bool is_of_the_entry(int number) {
    switch (number) {
        case ENOENT:
        case ENOTDIR:
        case EISDIR:
        case EEXIST:
        case ENOTEMPTY:
        case ELOOP:
        case EMLINK:
        case EINVAL:
        case ENAMETOOLONG:
            return true;
        default:
            return false;
    }
}

std::string_view text_or_nothing(const char* text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

class Unpacking {
public:
    Unpacking(int descriptor, const Limits& limits, const Tell& tell, Contents contents)
        : descriptor_(descriptor), limits_(limits), tell_(tell), contents_(contents) {}

    Result<Done> run();
    /// Before run(), of a jail's: reads the metadata.
    Result<void> begin(const Accept& accept);

private:
    static la_ssize_t read_some(::archive*, void* self, const void** buffer);
    Result<void> open();
    /// False at the end of the archive.
    Result<bool> next();
    Result<bool> header(archive_entry*& entry);
    /// Names in a jail's archive lie beneath "root". True for the entry that ends it.
    Result<bool> take_off_root(archive_entry* entry);
    Result<void> end(archive_entry* entry);
    /// An entry of the archive's own.
    Result<std::string> text_of(archive_entry* entry, std::size_t limit);
    [[nodiscard]] bool of_a_jail() const { return contents_ == Contents::jail; }
    [[nodiscard]] static Error no_export();
    Result<void> judge(archive_entry* entry);
    /// No component of it is anything but a directory, as far as they exist.
    Result<void> check_parents(const std::string& name);
    Result<void> write(archive_entry* entry);
    Result<void> write_data();
    Result<void> drain();
    /// Of libarchive: of what is read, or of the disk.
    Error unreadable() const;
    Error cannot_write(const std::string& name) const;
    void warn(::archive* from, const std::string& name);
    void tell_now_and_then();

    int descriptor_;
    Limits limits_;
    const Tell& tell_;
    Contents contents_;
    bool ended_ = false;               ///< a jail's
    std::array<timespec, 2> times_{};  ///< of a jail's tree itself
    EntryDigest digest_{};
    std::unique_ptr<::archive, FreeReader> source_{::archive_read_new()};
    std::unique_ptr<::archive, FreeWriter> disk_{::archive_write_disk_new()};
    std::array<char, kBlock> buffer_{};
    Sha256 hash_;
    Count count_;
    std::string name_;     ///< of the present entry
    std::string parents_;  ///< those that were checked last; no link was made since
    std::size_t warnings_ = 0;
    std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

la_ssize_t Unpacking::read_some(::archive* source, void* self, const void** buffer) {
    auto& mine = *static_cast<Unpacking*>(self);
    ssize_t got = -1;
    do {
        got = ::read(mine.descriptor_, mine.buffer_.data(), mine.buffer_.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        ::archive_set_error(source, errno, "it cannot be read");
        return -1;
    }
    mine.hash_.add({mine.buffer_.data(), static_cast<std::size_t>(got)});
    mine.count_.read += static_cast<std::uint64_t>(got);
    *buffer = mine.buffer_.data();
    return got;
}

Error Unpacking::unreadable() const {
    const bool begun = count_.entries > 0;
    return Error{.code = Errc::invalid,
                 .op = "unpack",
                 .detail = std::string(begun ? "the archive is damaged after \"" + printable(name_) + "\": "
                                             : "this is no archive that can be read: ") +
                           printable(text_or_nothing(::archive_error_string(source_.get()))),
                 .reason = begun ? "archive_damaged" : kUnreadable,
                 .remedy = begun ? "get it again, and compare its checksum"
                                 : "a tar archive is wanted, plain or compressed with gzip, bzip2, xz, zstd or lz4"};
}

Error Unpacking::cannot_write(const std::string& name) const {
    const int number = ::archive_errno(disk_.get());
    const auto said = printable(text_or_nothing(::archive_error_string(disk_.get())));
    auto detail = "\"" + printable(name) + "\" cannot be written: " + said;
    if (number == ENOSPC || number == EDQUOT)
        return Error{.code = Errc::exhausted,
                     .op = "unpack",
                     .sys = number,
                     .detail = std::move(detail),
                     .reason = "disk_full",
                     .remedy = "free space in the file system of the state directory"};
    if (is_of_the_entry(number))
        return Error{.code = Errc::invalid,
                     .op = "unpack",
                     .sys = number,
                     .detail = std::move(detail),
                     .reason = "entry_refused",
                     .remedy = "make an archive without it"};
    return Error{.code = Errc::kernel,
                 .op = "unpack",
                 .sys = number > 0 ? number : 0,
                 .detail = std::move(detail),
                 .reason = "unpack_failed",
                 .remedy = {}};
}

void Unpacking::warn(::archive* from, const std::string& name) {
    if (++warnings_ > kWarnings) return;
    tell_(Warning{.text = "\"" + printable(name) + "\": " + printable(text_or_nothing(::archive_error_string(from)))});
}

void Unpacking::tell_now_and_then() {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < kTellEvery) return;
    told_ = now;
    tell_(count_);
}

Result<void> Unpacking::open() {
    if (!source_ || !disk_) return std::unexpected(Error::from_errno("archive_read_new", ENOMEM));
    for (const auto support :
         {::archive_read_support_filter_none, ::archive_read_support_filter_gzip, ::archive_read_support_filter_bzip2,
          ::archive_read_support_filter_xz, ::archive_read_support_filter_zstd, ::archive_read_support_filter_lz4,
          ::archive_read_support_format_tar})
        if (is_built_in(support)) (void)support(source_.get());
    ::archive_write_disk_set_options(disk_.get(), kKeep | kSecure);
    if (::archive_read_open(source_.get(), this, nullptr, read_some, nullptr) != ARCHIVE_OK)
        return std::unexpected(unreadable());
    return {};
}

Result<void> Unpacking::check_parents(const std::string& name) {
    const auto end = name.rfind('/');
    const auto parents = end == std::string::npos ? std::string() : name.substr(0, end);
    if (parents == parents_) return {};
    for (std::size_t at = 0; at < parents.size();) {
        at = std::min(parents.find('/', at + 1), parents.size());
        const auto above = parents.substr(0, at);
        struct stat seen {};
        if (::fstatat(AT_FDCWD, above.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0) break;  // made as a directory
        if (S_ISDIR(seen.st_mode)) continue;
        return std::unexpected(Error{
            .code = Errc::invalid,
            .op = "check_entry",
            .detail = "\"" + printable(name) + "\" lies beneath \"" + printable(above) + "\", which is no directory",
            .reason = "entry_refused",
            .remedy = "make an archive without it"});
    }
    parents_ = parents;
    return {};
}

Result<void> Unpacking::judge(archive_entry* entry) {
    auto name = clean_name(text_or_nothing(::archive_entry_pathname(entry)), contents_);
    if (!name) return std::unexpected(name.error());
    name_ = *std::move(name);
    const auto kind = kind_of(entry);
    if (auto good = check_kind(name_, kind, contents_); !good) return good;
    if (name_ == "." && kind != EntryKind::directory) return check_kind(name_, EntryKind::other);
    if (auto good = check_parents(name_); !good) return good;
    ::archive_entry_copy_pathname(entry, name_.c_str());
    if (kind == EntryKind::symbolic_link) {
        parents_ = "/";  // no name
        return check_symbolic_link(name_, text_or_nothing(::archive_entry_symlink(entry)), contents_);
    }
    if (kind != EntryKind::hard_link) return {};
    parents_ = "/";
    const auto target = clean_hard_link(name_, text_or_nothing(::archive_entry_hardlink(entry)), contents_);
    if (!target) return std::unexpected(target.error());
    if (auto good = check_parents(*target); !good) return good;
    ::archive_entry_copy_hardlink(entry, target->c_str());
    return {};
}

Error Unpacking::no_export() {
    return Error{.code = Errc::invalid,
                 .op = "unpack",
                 .detail = "this archive holds no exported jail",
                 .reason = "no_export",
                 .remedy = "make one with \"jaildctl export\""};
}

Result<std::string> Unpacking::text_of(archive_entry* entry, std::size_t limit) {
    const auto size = ::archive_entry_size(entry);
    if (::archive_entry_filetype(entry) != AE_IFREG || size < 0 || static_cast<std::uint64_t>(size) > limit)
        return std::unexpected(no_export());
    std::string text(static_cast<std::size_t>(size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const auto got = ::archive_read_data(source_.get(), text.data() + done, text.size() - done);
        if (got <= 0) return std::unexpected(unreadable());
        done += static_cast<std::size_t>(got);
    }
    return text;
}

Result<void> Unpacking::begin(const Accept& accept) {
    if (auto opened = open(); !opened) {
        if (opened.error().reason == kUnreadable)
            opened.error().remedy = "an archive is wanted that \"jaildctl export\" wrote, and all of it";
        return opened;
    }
    archive_entry* entry = nullptr;
    const auto more = header(entry);
    if (!more) return std::unexpected(more.error());
    if (!*more || text_or_nothing(::archive_entry_pathname(entry)) != kMetadataName)
        return std::unexpected(no_export());
    const auto text = text_of(entry, kMetadataBytes);
    if (!text) return std::unexpected(text.error());
    digest_.add_data(*text);
    return accept(Metadata{.text = *text});
}

Result<bool> Unpacking::header(archive_entry*& entry) {
    const int status = ::archive_read_next_header(source_.get(), &entry);
    if (status == ARCHIVE_EOF) return false;
    if (status < ARCHIVE_WARN) return std::unexpected(unreadable());
    return true;
}

Result<bool> Unpacking::take_off_root(archive_entry* entry) {
    auto name = clean_name(text_or_nothing(::archive_entry_pathname(entry)), contents_);
    if (!name) return std::unexpected(name.error());
    if (*name == kSumName) return true;
    const auto inner = [](std::string_view text) -> std::string {
        const auto prefix = std::string(kRootName) + "/";
        if (text == kRootName) return ".";
        return text.starts_with(prefix) ? std::string(text.substr(prefix.size())) : std::string();
    };
    const auto plain = inner(*name);
    if (plain.empty() || ended_) return std::unexpected(no_export());
    if (plain == ".")
        times_.fill({.tv_sec = static_cast<time_t>(::archive_entry_mtime(entry)),
                     .tv_nsec = ::archive_entry_mtime_nsec(entry)});
    if (const char* const link = ::archive_entry_hardlink(entry)) {
        const auto target = clean_hard_link(*name, link, contents_);
        if (!target) return std::unexpected(target.error());
        const auto original = inner(*target);
        if (original.empty()) return std::unexpected(no_export());
        ::archive_entry_copy_hardlink(entry, target->c_str());
        digest_.add(entry, *name);
        ::archive_entry_copy_hardlink(entry, original.c_str());
    } else {
        digest_.add(entry, *name);
    }
    ::archive_entry_copy_pathname(entry, plain.c_str());
    return false;
}

/// The checksum; nothing may follow.
Result<void> Unpacking::end(archive_entry* entry) {
    const auto said = text_of(entry, kSumBytes);
    if (!said) return std::unexpected(said.error());
    ended_ = true;
    if (*said == digest_.finish()) return {};
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "unpack",
                                 .detail = "what is in the archive does not fit its checksum",
                                 .reason = "archive_damaged",
                                 .remedy = "export the jail again"});
}

Result<bool> Unpacking::next() {
    archive_entry* entry = nullptr;
    const auto more = header(entry);
    if (!more || !*more) return more;
    if (ended_) return std::unexpected(no_export());
    if (of_a_jail()) {
        const auto last = take_off_root(entry);
        if (!last) return std::unexpected(last.error());
        if (*last) {
            if (auto good = end(entry); !good) return std::unexpected(good.error());
            return true;
        }
    }
    if (++count_.entries > limits_.entries)
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "unpack",
                                     .detail = "more than " + std::to_string(limits_.entries) + " entries",
                                     .reason = "too_many_entries",
                                     .remedy = "jaild.toml(5): template_max_entries"});
    if (auto good = judge(entry); !good) return std::unexpected(good.error());
    if (auto written = write(entry); !written) return std::unexpected(written.error());
    tell_now_and_then();
    return true;
}

Result<void> Unpacking::write(archive_entry* entry) {
    const int made = ::archive_write_header(disk_.get(), entry);
    if (made < ARCHIVE_WARN) return std::unexpected(cannot_write(name_));
    if (made == ARCHIVE_WARN) warn(disk_.get(), name_);
    if (auto written = write_data(); !written) return written;
    const int finished = ::archive_write_finish_entry(disk_.get());
    const int number = finished == ARCHIVE_OK ? 0 : ::archive_errno(disk_.get());
    if (finished < ARCHIVE_WARN || number == ENOSPC || number == EDQUOT) return std::unexpected(cannot_write(name_));
    if (finished == ARCHIVE_WARN) warn(disk_.get(), name_);
    return {};
}

Result<void> Unpacking::write_data() {
    while (true) {
        const void* data = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = ::archive_read_data_block(source_.get(), &data, &size, &offset);
        if (status == ARCHIVE_EOF) return {};
        if (status < ARCHIVE_WARN) return std::unexpected(unreadable());
        if (size > limits_.bytes - count_.bytes)
            return std::unexpected(Error{.code = Errc::invalid,
                                         .op = "unpack",
                                         .detail = "more than " + std::to_string(limits_.bytes) + " bytes come of it",
                                         .reason = "archive_too_large",
                                         .remedy = "jaild.toml(5): template_max_bytes"});
        count_.bytes += size;
        if (of_a_jail()) digest_.add_data({static_cast<const char*>(data), size});
        if (::archive_write_data_block(disk_.get(), data, size, offset) < ARCHIVE_OK)
            return std::unexpected(cannot_write(name_));
        tell_now_and_then();
    }
}

Result<void> Unpacking::drain() {
    const void* ignored = nullptr;
    la_ssize_t got = 0;
    do {
        got = read_some(source_.get(), this, &ignored);
    } while (got > 0);
    if (got < 0) return std::unexpected(unreadable());
    return {};
}

Result<Done> Unpacking::run() {
    if (!of_a_jail())
        if (auto opened = open(); !opened) return std::unexpected(opened.error());
    while (true) {
        const auto more = next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
    }
    if (of_a_jail() && !ended_)
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "unpack",
                                     .detail = "the end of the archive is missing: it was cut off",
                                     .reason = "archive_incomplete",
                                     .remedy = "export the jail again, and look at how the export ended"});
    if (count_.entries == 0)
        return std::unexpected(Error{
            .code = Errc::invalid, .op = "unpack", .detail = "there is nothing in it", .reason = "archive_empty"});
    // Times and modes of directories come last.
    const int closed = ::archive_write_close(disk_.get());
    if (closed < ARCHIVE_WARN) return std::unexpected(cannot_write(name_));
    if (closed == ARCHIVE_WARN) warn(disk_.get(), ".");
    // libarchive leaves those of the directory that it works in.
    if (of_a_jail() && ::utimensat(AT_FDCWD, ".", times_.data(), 0) != 0)
        return std::unexpected(Error::from_errno("utimensat", errno));
    if (auto drained = drain(); !drained) return std::unexpected(drained.error());
    return Done{.count = count_, .sha256 = to_hex(hash_.finish())};
}

}  // namespace

Result<Done> unpack(int descriptor, const Limits& limits, const Tell& tell) {
    auto unpacking = std::make_unique<Unpacking>(descriptor, limits, tell, Contents::base);
    return unpacking->run();
}

Result<Done> unpack_jail(int descriptor, const Limits& limits, const Accept& accept, const Tell& tell) {
    auto unpacking = std::make_unique<Unpacking>(descriptor, limits, tell, Contents::jail);
    if (auto begun = unpacking->begin(accept); !begun) return std::unexpected(begun.error());
    return unpacking->run();
}

}  // namespace jaild::archive
