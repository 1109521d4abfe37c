#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/kernel/root_transfers.h"
#include "core/kernel/template_trees.h"
#include "core/model/jail.h"
#include "core/model/template.h"
#include "core/store/store.h"
#include "core/templates/options.h"
#include "core/templates/upload.h"

namespace jaild::templates {

/// What a request names, as it was when it came.
struct Material {
    /// Stopped; when it is changed, started or removed meanwhile, that ends the import ("jail_changed").
    std::optional<model::Jail> jail{};
    UniqueFd upload{};  ///< whole
    /// To be copied and updated, with nothing else in the request than a name; when it is removed before it is copied,
    /// that ends it ("template_removed").
    std::optional<model::Template> from{};
};

/// Makes and removes templates: what was written down, on threads of its own. Crash-only: what a daemon left unfinished
/// is removed by the next one. Thread-safe.
class Engine {
public:
    Engine(store::Store& store, kernel::TemplateTrees& trees, kernel::RootTransfers& roots, Clock& clock,
           Options options);
    ~Engine();  ///< stop()

    /// Imports that another daemon did not finish fail ("import_interrupted"), what is left of them and of removals
    /// goes. Starts the threads. Before anything else; blocks on the store alone.
    Result<void> prepare();

    /// Errc::unsupported "imports_unavailable" for archives in a build or a daemon without jaild-archive;
    /// check_sources(), check_directory().
    Result<void> check(const model::TemplateRequest& request) const;
    /// After COMMIT of its row, in state importing, and of its operation. Never blocks.
    void import(const model::Template& value, model::TemplateRequest request, Material material = {});
    /// For an archive that a client sends. Blocking. As Upload::begin().
    [[nodiscard]] Result<Upload> begin_upload() const;
    /// Errc::unsupported "updates_unavailable".
    Result<void> check_update() const;
    /// After COMMIT of its row in state removing. Never blocks.
    void remove(const model::Template& value);
    /// Its operation was cancelled: the import ends soon, and its row goes. Never blocks.
    void interrupt(TemplateId id);

    struct Seen {
        std::optional<model::Progress> progress;
        std::vector<std::string> steps;
    };
    /// What is under way of it. Never blocks.
    [[nodiscard]] Seen see(TemplateId id) const;

    /// Ends what is under way; the next daemon goes on with it. Blocking: a removal goes on to its end.
    void stop();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jaild::templates
