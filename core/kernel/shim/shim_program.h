#pragma once

#include "core/kernel/processes.h"
#include "core/kernel/shim/connection.h"

namespace jaild::kernel {

/// A program that a shim runs for us: the connection is the handle, and closing it kills the program.
class ShimProgram : public RunningProgram {
public:
    explicit ShimProgram(Connection connection) : connection_(std::move(connection)) {}
    [[nodiscard]] int descriptor() const override { return connection_.descriptor(); }
    Result<ProgramExit> wait() override;
    Result<void> kill(int signal) override;

private:
    Connection connection_;
};

}  // namespace jaild::kernel
