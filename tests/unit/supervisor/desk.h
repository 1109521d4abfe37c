#pragma once

#include <nlohmann/json.hpp>

#include "core/supervisor.h"
#include "tests/unit/reconcile/house.h"

/// The seam as api/ sees it, before a house without threads of the reconciler's.
namespace jaild::supervisor_test {

using test::error_of;
using test::value_of;

struct Desk {
    Desk() { value_of(supervisor.prepare()); }

    static model::Name name(const std::string& text) { return value_of(model::Name::parse(text)); }
    Accepted create(const std::string& json, const Retry& retry = {}) {
        return value_of(supervisor.create(kAdmin, store_test::named(json), DryRun::no, retry));
    }
    Result<Accepted> patch(const std::string& jail, const std::string& json, bool restart = false) {
        return supervisor.patch(kAdmin, name(jail), nlohmann::json::parse(json), {}, restart, DryRun::no);
    }
    Result<Accepted> remove(const std::string& jail) {
        return supervisor.remove(kAdmin, name(jail), {}, true, DryRun::no);
    }
    /// As many rounds as it takes; their failures are on the board.
    void work(const Accepted& accepted) { (void)house.reconciler->reconcile(accepted.jail.id); }
    /// "running", "succeeded" …
    std::string state_of(const std::string& operation) {
        return std::string(to_string(value_of(supervisor.operation(kAdmin, operation)).state));
    }

    static inline const Caller kAdmin{.principal = "uid:0", .role = Role::admin};
    reconcile_test::House house{};
    Supervisor supervisor{*house.state.store, house.kernel, *house.reconciler, house.clock};
};

}  // namespace jaild::supervisor_test
