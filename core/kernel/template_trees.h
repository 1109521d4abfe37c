#pragma once

#include <filesystem>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"

namespace jaild::kernel {

/// Where templates lie: `<state>/templates/<id>/root`. Blocking, any thread; calls for one template never overlap.
class TemplateTrees {
public:
    virtual ~TemplateTrees() = default;
    /// All that there is anything of, half made and half removed ones too.
    virtual Result<std::vector<TemplateId>> list() = 0;
    /// Makes it, empty, whatever was there before, and opens its root. Owner root, mode 0755; nobody else gets through
    /// the directory above it.
    virtual Result<UniqueFd> make(TemplateId id) = 0;
    /// The root of one that is finished, to read from.
    virtual Result<UniqueFd> open(TemplateId id) = 0;
    /// Its tree is whole and on disk, and will not change any more: jails can be made from it.
    virtual Result<void> finish(TemplateId id) = 0;
    /// Nothing is left of it. Errc::busy while something is mounted there.
    virtual Result<void> remove(TemplateId id) = 0;
    /// `<state>/templates/<id>`: for files of an import, beside its root.
    [[nodiscard]] virtual std::filesystem::path directory(TemplateId id) const = 0;
};

}  // namespace jaild::kernel
