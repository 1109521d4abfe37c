#pragma once

#include <filesystem>

#include "core/base/error.h"
#include "core/kernel/roots/jail_tree.h"
#include "core/model/jail.h"
#include "core/model/template.h"
#include "core/templates/job.h"
#include "core/templates/options.h"

/// Fills the tree of a template from a tree that is there already. Blocking.
namespace jaild::templates {

/// May a template be made of this directory of the host? Errc::invalid with field /directory: "file_not_found",
/// "not_a_directory", "path_refused" ("/", or one that holds or lies in the state directory). Before anything is
/// written down.
Result<void> check_directory(const std::filesystem::path& directory, const Options& options);

/// May one be made of this jail, by what it is made of itself? Errc::unsupported "host_template_jail" for a jail whose
/// programs are the host's.
Result<void> check_jail(const model::Jail& jail);

/// Copies the directory into `root`, which is open and empty. The template with its bytes and entries. Errc::invalid
/// as check_directory(), "template_too_large", "too_many_entries"; Errc::conflict "mount_beneath"; what else
/// copy_tree() says; Errc::exhausted "disk_full"; Errc::conflict "interrupted".
Result<model::Template> copy_directory(const std::filesystem::path& directory, int root, Job& job,
                                       const Options& options);

/// The same of a stopped jail's tree, without what says which one it was. It ends when `same` says that the jail is not
/// what it was.
Result<model::Template> copy_jail(const model::Jail& jail, const kernel::jail_tree::Source& source,
                                  const std::function<bool()>& same, int root, Job& job, const Options& options);

/// The same of another template, open as `source`.
Result<model::Template> copy_template(const std::string& reference, int source, int root, Job& job,
                                      const Options& options);

}  // namespace jaild::templates
