#pragma once

#include <sys/types.h>

#include <functional>
#include <map>

namespace jaild::shim {

struct ChildExit {
    int exit_code = 0;  ///< 128 + signal when a signal ended it
    int signal = 0;
};

/// Who is our child, and what happens when it ends. All waiting is done here.
///
/// A child that has ended keeps its number until it is waited for, so as long as it is known here, no signal to that
/// number can reach anybody else. That is why a handler runs before its child is waited for.
class Children {
public:
    using Handler = std::function<void(const ChildExit&)>;

    void add(pid_t pid, Handler handler);
    [[nodiscard]] bool knows(pid_t pid) const { return handlers_.contains(pid); }
    /// Is it a child of ours at all, running or not waited for?
    [[nodiscard]] static bool is_child(pid_t pid);

    /// Between the two, children that nobody knows yet are not waited for: a helper is about to name one of them.
    void expect_stranger() { ++expected_; }
    void end_expecting();
    [[nodiscard]] bool expecting() const { return expected_ > 0; }

    /// After each SIGCHLD. Strangers, orphans of somebody's, are waited for and forgotten.
    void reap();

private:
    bool reap_one();
    [[nodiscard]] pid_t find_ended(ChildExit& exit) const;

    std::map<pid_t, Handler> handlers_;
    int expected_ = 0;
    bool reaping_ = false;
    bool again_ = false;
};

}  // namespace jaild::shim
