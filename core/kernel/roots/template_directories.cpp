#include "core/kernel/roots/template_directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "core/base/files.h"
#include "core/kernel/roots/numbered.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel {
namespace {

constexpr const char* kTemplates = "templates";
/// A tree on its way out has this name: a crash while it is deleted leaves nothing that looks like a template.
constexpr std::string_view kGoing = ".removing";

std::string going_name(TemplateId id) {
    return std::to_string(id.value) + std::string(kGoing);
}

}  // namespace

std::filesystem::path TemplateDirectories::directory(TemplateId id) const {
    return state_ / kTemplates / std::to_string(id.value);
}

Result<std::vector<TemplateId>> TemplateDirectories::list() {
    return numbered<TemplateId>(state_ / kTemplates, {kGoing});
}

Result<UniqueFd> TemplateDirectories::make(TemplateId id) {
    if (auto gone = remove(id); !gone) return std::unexpected(gone.error());
    const auto state = files::open_directory(state_);
    if (!state) return std::unexpected(state.error());
    const auto whole =
        files::make_directories(state->get(), std::filesystem::path(kTemplates) / std::to_string(id.value), 0700);
    if (!whole) return std::unexpected(whole.error());
    return place::directory(whole->get(), "root", 0755);
}

Result<UniqueFd> TemplateDirectories::open(TemplateId id) {
    return files::open_directory(directory(id) / "root");
}

Result<void> TemplateDirectories::finish(TemplateId id) {
    const auto root = open(id);
    if (!root) return std::unexpected(root.error());
    return files::sync_filesystem(root->get());
}

Result<void> TemplateDirectories::remove(TemplateId id) {
    const auto all = files::open_directory(state_ / kTemplates);
    if (!all) return all.error().code == Errc::not_found ? Result<void>{} : std::unexpected(all.error());
    // One that an earlier attempt left behind; then this one takes its name.
    if (auto removed = files::remove_tree(all->get(), going_name(id)); !removed) return removed;
    if (::renameat(all->get(), std::to_string(id.value).c_str(), all->get(), going_name(id).c_str()) != 0)
        return errno == ENOENT ? Result<void>{} : std::unexpected(Error::from_errno("renameat", errno));
    return files::remove_tree(all->get(), going_name(id));
}

}  // namespace jaild::kernel
