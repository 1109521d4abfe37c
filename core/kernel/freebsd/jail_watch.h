#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/pure/places.h"

namespace jaild::kernel::freebsd {

/// Tells when a jail of ours goes away, whoever removed it, in one thread of its own. From FreeBSD 15 on at once, by
/// jail descriptors and EVFILT_JAILDESC (kqueue(2)); before, and for a jail that is just new, by a look at the list of
/// jails each second: one system call for each jail. What this kernel has is seen when it is tried.
class JailWatch {
public:
    using OnChange = std::function<void(JailId)>;
    explicit JailWatch(Places places) : places_(std::move(places)) {}
    JailWatch(const JailWatch&) = delete;
    JailWatch& operator=(const JailWatch&) = delete;
    ~JailWatch();

    /// Once. The callback must not block.
    Result<void> start(OnChange on_change);

private:
    struct Watched {
        int jid = 0;
        UniqueFd descriptor;  ///< none on a kernel without. Never an owning one: its close would remove the jail
    };
    void run();
    void look();
    void watch(JailId id, int jid);
    void wait();

    Places places_;
    OnChange on_change_;
    UniqueFd queue_;
    std::thread thread_;
    std::atomic<bool> ending_ = false;
    bool descriptors_ = true;  ///< until the kernel knows none
    std::map<JailId, Watched> watched_;
};

}  // namespace jaild::kernel::freebsd
