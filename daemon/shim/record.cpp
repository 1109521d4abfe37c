#include "daemon/shim/record.h"

#include <cerrno>

#include "core/base/clock.h"

namespace jaild::shim {
namespace {

constexpr std::chrono::seconds kRetry{5};

}  // namespace

Record::Record(Loop& loop, LogWriter& log, int directory) : loop_(loop), log_(log), directory_(directory) {
    const auto read = read_state(directory);
    if (read)
        state = *read;
    else if (read.error().code != Errc::not_found)
        log.note("what was recorded of this jail's command cannot be read: " + read.error().to_string());
}

Result<void> Record::save() {
    auto written = write_state(directory_, state);
    if (!written && (written.error().sys == ENOSPC || written.error().sys == EDQUOT)) {
        log_.give_up();
        written = write_state(directory_, state);
        if (written) log_.note("the disk is full: the log was given up to record the state of this jail's command");
    }
    if (written) {
        loop_.cancel(std::exchange(retry_, 0));
    } else if (retry_ == 0) {
        retry_ = loop_.after(kRetry, [this] {
            retry_ = 0;
            [[maybe_unused]] const auto again = save();
        });
    }
    if (on_change) on_change();
    return written;
}

void Record::set_exit(std::int64_t exit_code, std::int64_t signal, std::string reason, std::chrono::milliseconds ran) {
    state.last_exit = ExitRecord{.exit_code = exit_code,
                                 .signal = signal,
                                 .reason = std::move(reason),
                                 .at_ms = Clock::system().utc().milliseconds,
                                 .ran_ms = ran.count()};
}

}  // namespace jaild::shim
