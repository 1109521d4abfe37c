#pragma once

#include <memory>
#include <optional>

#include "core/kernel/processes.h"
#include "core/kernel/shim/connection.h"

namespace jaild::kernel {

/// A program that a shim runs for us: the connection is the handle, and closing it kills the program.
class ShimProgram : public RunningProgram {
public:
    /// `connection`: the one on which `started` came. `terminal`: its master, if it has one.
    static Result<std::unique_ptr<RunningProgram>> create(Connection connection, UniqueFd terminal);
    [[nodiscard]] int descriptor() const override { return known_ ? known_.get() : connection_.descriptor(); }
    Result<ProgramExit> wait() override;
    Result<void> kill(int signal) override;
    UniqueFd take_terminal() override { return std::move(terminal_); }

private:
    ShimProgram(Connection connection, UniqueFd terminal)
        : connection_(std::move(connection)), terminal_(std::move(terminal)) {}

    Connection connection_;
    UniqueFd terminal_;
    std::optional<shim::Frame> early_;  ///< the end of a program so short that it came together with its start
    UniqueFd known_;                    ///< readable, when `early_` is there
};

}  // namespace jaild::kernel
