#pragma once

#include <filesystem>
#include <functional>

#include "core/base/error.h"
#include "core/templates/archive/entry_rules.h"
#include "core/templates/archive/report.h"

namespace jaild::templates {

/// jaild-archive, from jaild's side. Blocking.
class ArchiveProgram {
public:
    explicit ArchiveProgram(std::filesystem::path program) : program_(std::move(program)) {}

    /// What is seen of it while it runs: a Count or a Warning.
    using Watch = std::function<void(const archive::Report&)>;

    /// Unpacks the archive on `source` into `directory`; none of the two is closed. `interrupted` is asked several
    /// times a second: true kills the program, Errc::conflict "interrupted". Else its own Errors; Errc::kernel
    /// "helper_failed" when it ends without one.
    Result<archive::Done> unpack(int source, int directory, const archive::Limits& limits, const Watch& watch,
                                 const std::function<bool()>& interrupted) const;

private:
    std::filesystem::path program_;
};

}  // namespace jaild::templates
