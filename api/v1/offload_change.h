#pragma once

#include <string>
#include <utility>

#include "api/http/offload.h"
#include "api/v1/service.h"

namespace jaild::api::v1 {

/// A dry run asks kernel, shim and trees for its plan, through the gate of that jail; any other change is only written
/// down here.
template <class Work>
asio::awaitable<Result<Accepted>> offload_change(Service& service, std::string gate, DryRun dry_run, Work work) {
    if (dry_run == DryRun::yes)
        co_return co_await offload_through(service.gates, std::move(gate), service.jail_pool, std::move(work));
    co_return co_await offload(service.pool, std::move(work));
}

}  // namespace jaild::api::v1
