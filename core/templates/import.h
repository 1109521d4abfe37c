#pragma once

#include <filesystem>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/model/template.h"
#include "core/templates/archive_program.h"
#include "core/templates/job.h"
#include "core/templates/options.h"

/// Fills the tree of a template with what a request asks for. Blocking.
namespace jaild::templates {

/// Can all archives that are files be opened? Errc::invalid "file_not_found", "not_a_file" with the field of the set.
/// Before anything is written down.
Result<void> check_sources(const model::TemplateRequest& request);

/// Each archive is downloaded if it has a URL, compared with its checksum, then unpacked into `root`. `directory` holds
/// what is downloaded, without a name: a crash leaves nothing. `upload`: what came with the request, for the set that
/// is so. The template with its sets, bytes and entries.
/// Errc::invalid "checksum_mismatch", before anything of that archive is unpacked; Errc::exhausted "disk_full";
/// Errc::conflict "interrupted"; what ArchiveProgram::unpack() and download() say; Errc::invalid "manifest_unreadable",
/// "manifest_incomplete".
Result<model::Template> import_sets(const model::TemplateRequest& request, const std::filesystem::path& directory,
                                    int root, int upload, Job& job, const Options& options);

}  // namespace jaild::templates
