#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/kernel/shim/attacher.h"
#include "core/kernel/shim/protocol/channel.h"
#include "core/kernel/shim/shim_processes.h"
#include "tests/results.h"

namespace jaild::test {

/// Programs "get into" the host itself, by a helper that leaves them behind exactly as runc exec --detach does.
class HostAttacher : public kernel::Attacher {
public:
    explicit HostAttacher(std::filesystem::path state) : state_(std::move(state)) {}
    Result<shim::Launch> prepare(JailId id, const kernel::Program& program) override;
    /// One whose request is of a later protocol than any shim's.
    Result<std::unique_ptr<kernel::Terminal>> open_terminal(int shim, TerminalSize size) override;
    [[nodiscard]] Error explain(const kernel::Program& program, const shim::Refused& refused) const override;

private:
    std::filesystem::path state_;
};

/// How an exec went, with all that it said.
struct Outcome {
    int exit_code = 0;
    int signal = 0;
    std::string output;
    std::string error_output;
};

/// Shims without jails, in a state directory whose name is longer than a socket's address may be.
struct ShimFixture {
    ShimFixture();
    ~ShimFixture();
    ShimFixture(const ShimFixture&) = delete;
    ShimFixture& operator=(const ShimFixture&) = delete;

    static constexpr JailId id{7};
    std::filesystem::path top;
    std::filesystem::path state;
    HostAttacher attacher;
    std::atomic<int> events = 0;  ///< of the jail, after watch(); outlives who counts
    std::unique_ptr<kernel::ShimProcesses> processes;

    void watch();

    /// What a daemon's end and the next one's start look like from here: every connection is closed.
    void new_daemon();
    [[nodiscard]] kernel::ObservedShim observed();
    [[nodiscard]] bool exited() { return observed().command == kernel::CommandState::exited; }
    [[nodiscard]] std::filesystem::path directory() const;
    [[nodiscard]] UniqueFd open_directory() const;
    /// The jail's log without its prefixes.
    [[nodiscard]] std::string log_text();

    static kernel::Program sh(const std::string& script);
    std::unique_ptr<kernel::RunningProgram> exec(const kernel::Program& program, kernel::Stdio stdio);
    /// With its input from `input`; reads to the end of both outputs.
    Outcome exec_to_end(const kernel::Program& program, const std::string& input = {});
    /// A file of the test's own, read as a number: what a program wrote about itself.
    [[nodiscard]] std::int64_t number_in(const std::string& name) const;
};

/// Descriptors for a program whose output nobody looks at.
kernel::Stdio no_stdio();
bool process_exists(std::int64_t pid);
std::string read_all(int fd);

/// A client that says what it likes.
class RawClient {
public:
    explicit RawClient(const ShimFixture& fixture);
    void send_bytes(std::string_view bytes);
    void send(shim::MessageType type, std::string_view body);
    void greet();
    /// Nothing: the shim closed the connection.
    std::optional<shim::Frame> receive();
    [[nodiscard]] bool closed_by_shim();
    [[nodiscard]] shim::Channel& channel() { return channel_; }

private:
    shim::Channel channel_;
};

}  // namespace jaild::test
