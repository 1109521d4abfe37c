#pragma once

#include <filesystem>

#include "core/base/error.h"
#include "core/model/template.h"
#include "core/templates/job.h"
#include "core/templates/options.h"

/// Brings the copy of a template up to date. Blocking.
namespace jaild::templates {

/// Is there a program for it? Errc::unsupported "updates_unavailable". Before anything is written down.
Result<void> check_updater(const Options& options);

/// Runs the updater on the tree `directory`/root, which is open as `root` and a copy of `from`. The program is the
/// configuration's; without one, on FreeBSD, freebsd-update(8), or pkg(8) for a base of packages. It runs as root, on
/// the host, in a process group of its own that is killed when the time is over, when the job is interrupted, and when
/// it ends. What it leaves in `directory`/work is removed.
///
/// The template with the bytes and entries that it has now. Errc::conflict "template_up_to_date" when nothing outside
/// of /var was changed: a catalogue that was fetched makes no version; "mount_beneath", "interrupted". Errc::invalid
/// "update_failed" with the program's last words, "template_too_large", "too_many_entries"; Errc::busy
/// "update_timeout"; Errc::exhausted "disk_full"; Errc::unsupported as check_updater() and "release_unknown".
Result<model::Template> update_tree(const std::filesystem::path& directory, int root, const model::Template& from,
                                    Job& job, const Options& options);

}  // namespace jaild::templates
