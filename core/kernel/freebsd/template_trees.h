#pragma once

#include <mutex>
#include <optional>

#include "core/kernel/freebsd/datasets.h"
#include "core/kernel/roots/template_directories.h"
#include "core/kernel/template_trees.h"

namespace jaild::kernel {

/// Where a ZFS parent is configured when a template is made, its tree is a dataset of its own, mounted at
/// `<state>/templates/<id>/root`: the file `dataset` beside it names it. Once the tree is finished the dataset is
/// read-only and has the snapshot `@base`. A template that was made as a directory stays one.
class FreeBsdTemplateTrees final : public TemplateTrees {
public:
    explicit FreeBsdTemplateTrees(const DriverOptions& options)
        : directories_(options.state_directory), datasets_(options) {}

    /// Without those of a pool that is away and that have no directory.
    Result<std::vector<TemplateId>> list() override;
    Result<UniqueFd> make(TemplateId id) override;
    Result<UniqueFd> open(TemplateId id) override;
    Result<void> finish(TemplateId id) override;
    /// Errc::busy "dataset_busy" while there are clones of it, or somebody's snapshots.
    Result<void> remove(TemplateId id) override;
    [[nodiscard]] std::filesystem::path directory(TemplateId id) const override { return directories_.directory(id); }

    /// The dataset that the tree is on; nothing for a directory, and for a template that is not there.
    [[nodiscard]] Result<std::optional<std::string>> dataset(TemplateId id) const;
    /// Nothing is mounted after a reboot, or when a pool comes back: to be called before anybody looks into the tree.
    Result<void> ensure_mounted(TemplateId id);

private:
    Result<void> mount(TemplateId id, const std::string& dataset);
    [[nodiscard]] Result<void> unmount(TemplateId id, const std::optional<std::string>& dataset) const;

    TemplateDirectories directories_;
    freebsd::Datasets datasets_;
    std::mutex mutex_;  ///< of mounting
};

}  // namespace jaild::kernel
