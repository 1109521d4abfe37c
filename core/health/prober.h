#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "core/health/probe.h"

namespace jaild::health {

/// Asks jails whether they do their work: one thread for all of them, which waits for sockets and for programs that run
/// in jails; and a few for calls that block. Never two probes of one jail at a time. Thread-safe; kernel and clock
/// outlive it.
class Prober {
public:
    /// Told how a probe of that life ended, on the prober's thread; answers when to ask again.
    using Listener = std::function<Milliseconds(const Target&, const Outcome&)>;

    Prober(kernel::Kernel& kernel, Listener listener);
    ~Prober();  ///< stop()
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    /// From now on; the same again changes nothing. The first probe comes at once, or within `spread`.
    void follow(const Target& target, Milliseconds spread);
    /// What is asked meanwhile is told to nobody.
    void forget(JailId id);
    /// Waits for the call that is under way in each of its threads, and kills what still runs.
    void stop();

private:
    class Loop;
    std::mutex mutex_;
    std::map<JailId, Target> known_;
    std::unique_ptr<Loop> loop_;
};

}  // namespace jaild::health
