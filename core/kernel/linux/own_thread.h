#pragma once

#include <exception>
#include <system_error>
#include <thread>

#include "core/base/error.h"

namespace jaild::kernel {

/// Runs `work` (returning Result<void>) on a new thread and returns when that ended: for what changes a thread's
/// namespaces, so that no other thread of the daemon ever leaves its own. Whatever it throws becomes its Error.
template <class Work>
Result<void> on_own_thread(const Work& work) {
    Result<void> result;
    try {
        std::thread thread([&work, &result] {
            try {
                result = work();
            } catch (const std::exception& caught) {
                result = std::unexpected(Error{.code = Errc::kernel, .op = "thread", .detail = caught.what()});
            }
        });
        thread.join();
    } catch (const std::system_error& failed) {
        return std::unexpected(Error::from_errno("pthread_create", failed.code().value()));
    }
    return result;
}

}  // namespace jaild::kernel
