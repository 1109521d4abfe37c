#pragma once

#include <string>

#include "core/base/error.h"
#include "core/templates/archive/report.h"
#include "daemon/archive/unpack.h"

namespace jaild::archive {

/// Writes the working directory, which nobody changes meanwhile, to `descriptor` as export_format.h says: owners by
/// number, modes, times, hard links of files, holes, ACLs, attributes and file flags. Sockets and devices are left out
/// and told of as Warnings. Compressed with zstd where libarchive can itself, else with gzip. `tell` gets a Count now
/// and then, in which `read` is what was written.
///
/// Errc::busy "mount_beneath", "tree_changing" (something did change it); Errc::invalid "entry_refused" for a name or a
/// link that unpack_jail() would not take; Errc::kernel "reader_gone" when nobody reads `descriptor` any more,
/// "pack_failed".
Result<Done> pack(const std::string& metadata, int descriptor, const Tell& tell);

}  // namespace jaild::archive
