#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/store/store.h"

namespace jaild::simulation {

/// Where a scene's rows are.
enum class Keeping {
    in_memory,  ///< fast
    on_disk,    ///< with the records from which a lost database is made again
};

/// The real store; on disk in a directory of its own, in memory where the system has such a thing, that goes with it.
class SceneStore {
public:
    SceneStore(Keeping keeping, Clock& clock);
    SceneStore(const SceneStore&) = delete;
    SceneStore& operator=(const SceneStore&) = delete;
    ~SceneStore();

    [[nodiscard]] store::Store& operator*() const { return *store_; }
    [[nodiscard]] store::Store* operator->() const { return store_.get(); }
    [[nodiscard]] Keeping keeping() const { return keeping_; }

    /// The database is deleted while no daemon runs, and made again from the records; references to it end. What is
    /// not as it was before, for people.
    std::vector<std::string> lose_and_recover();

private:
    void open();
    const Keeping keeping_;
    Clock& clock_;
    std::filesystem::path directory_;
    std::unique_ptr<store::Store> store_;
};

}  // namespace jaild::simulation
