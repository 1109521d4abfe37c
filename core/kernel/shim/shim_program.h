#pragma once

#include <memory>
#include <optional>

#include "core/kernel/processes.h"
#include "core/kernel/shim/connection.h"

namespace jaild::kernel {

/// A program that a shim runs for us: the connection is the handle, and closing it kills the program.
class ShimProgram : public RunningProgram {
public:
    /// `connection`: the one on which `started` came.
    static Result<std::unique_ptr<RunningProgram>> create(Connection connection);
    [[nodiscard]] int descriptor() const override { return known_ ? known_.get() : connection_.descriptor(); }
    Result<ProgramExit> wait() override;
    Result<void> kill(int signal) override;

private:
    explicit ShimProgram(Connection connection) : connection_(std::move(connection)) {}

    Connection connection_;
    std::optional<shim::Frame> early_;  ///< the end of a program so short that it came together with its start
    UniqueFd known_;                    ///< readable, when `early_` is there
};

}  // namespace jaild::kernel
