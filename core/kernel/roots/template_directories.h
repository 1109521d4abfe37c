#pragma once

#include "core/kernel/template_trees.h"

namespace jaild::kernel {

/// Templates as directories of the state directory's file system, the same on every system.
class TemplateDirectories final : public TemplateTrees {
public:
    explicit TemplateDirectories(std::filesystem::path state) : state_(std::move(state)) {}

    Result<std::vector<TemplateId>> list() override;
    Result<UniqueFd> make(TemplateId id) override;
    Result<UniqueFd> open(TemplateId id) override;
    Result<void> finish(TemplateId id) override;
    Result<void> remove(TemplateId id) override;
    [[nodiscard]] std::filesystem::path directory(TemplateId id) const override;

private:
    std::filesystem::path state_;
};

}  // namespace jaild::kernel
