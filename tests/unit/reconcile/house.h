#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/reconcile/reconciler.h"
#include "tests/results.h"
#include "tests/hooked_kernel.h"
#include "tests/unit/store/fixture.h"

/// A whole house without threads: store and kernel in memory, and the reconciler between them.
namespace jaild::reconcile_test {

class HandClock final : public Clock {
public:
    Monotonic monotonic() override { return Monotonic{} + std::chrono::hours{1} + passed; }
    UtcTime utc() override { return UtcTime{1'795'000'000'000 + passed.count()}; }
    Milliseconds passed{0};
};

struct House {
    explicit House(const kernel::memory::MemoryOptions& options = {})
        : kernel({.instance = state.store->instance(), .state_directory = "/var/db/jaild", .helper_directory = "/"},
                 options) {}

    /// What the supervisor writes; `json` as a client sends it. With a running operation.
    model::Jail create(const std::string& json);
    /// The same, and one round of it.
    model::Jail settled(const std::string& json);
    model::Jail change(const model::Jail& jail, const std::function<void(model::JailSpec&)>& change);
    model::Jail stop(const model::Jail& jail);
    model::Jail restart(const model::Jail& jail);
    model::Jail remove(const model::Jail& jail);

    /// A daemon that died and came back: the same store and kernel, nothing remembered.
    void start_anew();

    [[nodiscard]] model::JailStatus status(const model::Jail& jail) const { return reconciler->status(jail); }
    std::optional<model::Condition> condition(const model::Jail& jail, const std::string& type) const;
    /// Data of all events of a type, oldest first.
    std::vector<std::string> events(const std::string& type);
    /// "running", "succeeded" … of the operation that the last change of that jail began.
    std::string operation(const model::Jail& jail);
    model::Operation last_operation(const model::Jail& jail);

    store_test::MemoryState state{};
    HandClock clock{};
    test::HookedKernel kernel;
    std::unique_ptr<reconcile::Reconciler> reconciler =
        std::make_unique<reconcile::Reconciler>(*state.store, kernel, clock, reconcile::ReconcilerOptions{});

private:
    model::Jail begin(const std::string& kind, const std::function<Result<model::Jail>(store::Writer&)>& write);
    std::map<JailId, std::string> operations_;
};

}  // namespace jaild::reconcile_test
