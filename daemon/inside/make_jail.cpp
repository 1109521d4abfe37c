#include "daemon/inside/make_jail.h"

#include <sys/param.h>
// after <sys/param.h>
#include <fcntl.h>
#include <sys/jail.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/pure/inside_text.h"
#include "core/kernel/freebsd/system/prisons.h"
#include "daemon/inside/child.h"
#include "daemon/inside/enter.h"
#include "daemon/inside/link.h"

namespace jaild::inside {
namespace {

using kernel::freebsd::Parameters;

constexpr Milliseconds kMakePatience{20'000};
constexpr int kLeave = 4;  ///< at its end the parent is dead, and the jail goes too

Result<std::string> make(const Parameters& parameters) {
    if (auto shed = shed_host(kLeave); !shed) return std::unexpected(shed.error());
    const auto jid = kernel::freebsd::set_jail(parameters, JAIL_CREATE | JAIL_ATTACH);
    if (!jid) return std::unexpected(jid.error());
    // Without a network stack of its own it sees the host's lo0.
    if (std::ranges::find(parameters, kernel::freebsd::kVnet, &kernel::freebsd::Parameter::name) != parameters.end()) {
        if (auto raised = raise_loopback(); !raised) return std::unexpected(raised.error());
    }
    return kernel::freebsd::jid_text(*jid);
}

/// The life of the child: it keeps the jail alive until it is ended.
[[noreturn]] void keep_jail(const Parameters& parameters, int answer, int leave) {
    // Both to their places by way of numbers that are neither.
    const int high_answer = ::fcntl(answer, F_DUPFD, kLeave + 1);
    const int high_leave = ::fcntl(leave, F_DUPFD, kLeave + 1);
    if (high_answer < 0 || high_leave < 0 || ::dup2(high_answer, kAnswer) < 0 || ::dup2(high_leave, kLeave) < 0)
        ::_exit(1);
    write_answer(kAnswer, make(parameters));
    ::close(kAnswer);
    char nothing = 0;
    while (::read(kLeave, &nothing, 1) < 0 && errno == EINTR) continue;
    ::_exit(0);
}

}  // namespace

Result<int> make_jail(const Parameters& parameters) {
    auto answer = Pipe::create();
    if (!answer) return std::unexpected(answer.error());
    auto leave = Pipe::create();
    if (!leave) return std::unexpected(leave.error());
    const pid_t child = ::fork();
    if (child < 0) return std::unexpected(Error::from_errno("fork", errno));
    if (child == 0) keep_jail(parameters, answer->write.get(), leave->read.get());
    answer->write.reset();
    leave->read.reset();

    const auto made = [&]() -> Result<int> {
        const auto text = read_answer(answer->read.get(), kMakePatience);
        if (!text) return std::unexpected(text.error());
        const auto jid = kernel::freebsd::parse_jid_text(*text);
        if (!jid) return std::unexpected(jid.error());
        return kernel::freebsd::set_jail({{"jid", *jid}, {"persist", true}}, JAIL_UPDATE);
    }();
    end(child);
    return made;
}

}  // namespace jaild::inside
