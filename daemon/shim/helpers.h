#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "core/base/unique_fd.h"
#include "daemon/shim/children.h"
#include "daemon/shim/loop.h"
#include "daemon/shim/reply.h"

namespace jaild::shim {

/// Programs of the host that are run for the daemon so that what they leave behind becomes ours (runc create). One at a
/// time, each to its end though its client may go: the next one finds what the last one made, never the middle of it.
class Helpers {
public:
    /// Called with the pid of the jail's first process when a helper left one.
    using Adopted = std::function<void(pid_t)>;

    /// `failed` is called when one may have left something behind that nobody knows.
    Helpers(Loop& loop, Children& children, Adopted adopted, std::function<void()> failed)
        : loop_(loop), children_(children), adopted_(std::move(adopted)), failed_(std::move(failed)) {}
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;

    void run(RunHelper request, const Reply& reply);
    [[nodiscard]] bool active() const { return current_ != nullptr; }

private:
    struct Output {
        UniqueFd pipe;
        std::string text;
    };
    struct Current {
        Current(RunHelper what, const Reply& whom) : request(std::move(what)), reply(whom) {}
        RunHelper request;
        Reply reply;
        pid_t pid = 0;
        UniqueFd failure;
        Output output;
        Output error_output;
        bool timed_out = false;
        Loop::TimerId timer = 0;
    };
    void begin_next();
    Result<void> begin(Current& current);
    void listen(Output& output);
    static bool read_all(Output& output, std::size_t limit);
    void ended(const ChildExit& exit);

    Loop& loop_;
    Children& children_;
    Adopted adopted_;
    std::function<void()> failed_;
    std::unique_ptr<Current> current_;
    std::deque<std::pair<RunHelper, Reply>> waiting_;
};

}  // namespace jaild::shim
