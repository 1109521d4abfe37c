#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/units.h"
#include "core/model/jail.h"

namespace jaild::reconcile {

/// The jails that a halt of the host waits for. Thread-safe.
class Halt {
public:
    void expect(const std::vector<model::Jail>& rows);
    /// A round that began after the halt has left nothing of it running. Others are ignored.
    void stopped(JailId id);
    /// Until all are stopped, or `patience` (of the machine's own clock) is over: the names of those that are left.
    /// Every kTell it is said in the log how far that is.
    std::vector<std::string> wait(Milliseconds patience);

    static constexpr Milliseconds kTell{5'000};

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<JailId, std::string> left_;
    std::size_t all_ = 0;
};

}  // namespace jaild::reconcile
