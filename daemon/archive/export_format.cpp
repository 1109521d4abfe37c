#include "daemon/archive/export_format.h"

#include <string>

namespace jaild::archive {

/// With its length before it, so that no two lists of texts look alike.
void EntryDigest::text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    hash_.add(value);
}

void EntryDigest::number(std::int64_t value) {
    hash_.add(std::to_string(value) + "\n");
}

void EntryDigest::add(archive_entry* entry, std::string_view name) {
    ++entries_;
    const char* const hard_link = ::archive_entry_hardlink(entry);
    const char* const link = hard_link != nullptr ? hard_link : ::archive_entry_symlink(entry);
    const auto kind = ::archive_entry_filetype(entry);
    text(name);
    text(link == nullptr ? "" : link);
    number(hard_link != nullptr ? 1 : 0);
    // A hard link has no owner and no content of its own.
    if (hard_link != nullptr) return;
    number(kind);
    number(kind == AE_IFREG ? ::archive_entry_size(entry) : 0);
    number(kind == AE_IFLNK ? 0 : ::archive_entry_perm(entry));
    number(::archive_entry_uid(entry));
    number(::archive_entry_gid(entry));
    number(::archive_entry_mtime(entry));
    number(::archive_entry_mtime_nsec(entry));
}

void EntryDigest::add_data(std::string_view data) {
    bytes_ += data.size();
    hash_.add(data);
}

std::string EntryDigest::finish() {
    return "sha256 " + to_hex(hash_.finish()) + "\nentries " + std::to_string(entries_) + "\nbytes " +
           std::to_string(bytes_) + "\n";
}

}  // namespace jaild::archive
