#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/temp_directory.h"

namespace jaild::test {

/// A FIFO that a program holds open for writing: its end comes when neither it nor a child of it is there any more.
/// Pids do not say that, for nobody need wait for an orphan.
class Alive {
public:
    Alive() {
        REQUIRE(::mkfifo(path().c_str(), 0600) == 0);
        fd_ = UniqueFd(::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        REQUIRE(fd_);
    }
    [[nodiscard]] std::string path() const { return own_.path() / "alive"; }
    /// All that was written to it; waits for the end of all writers.
    std::string wait_for_end() {
        REQUIRE(::fcntl(fd_.get(), F_SETFL, 0) == 0);
        std::string text;
        char buffer[512];
        for (ssize_t got = 0; (got = ::read(fd_.get(), buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(got));
        return text;
    }

private:
    TempDirectory own_;
    UniqueFd fd_;
};

}  // namespace jaild::test
