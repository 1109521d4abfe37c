#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/base/spawn.h"
#include "core/kernel/kernel.h"

namespace jaild::test {

/// Addresses of the cable between the host under test and the outside (RFC 5737, RFC 3849).
struct Cable {
    static constexpr const char* interface = "uplink";  ///< on the host
    static constexpr const char* host4 = "198.51.100.2";
    static constexpr const char* host6 = "2001:db8::2";
    static constexpr const char* outside4 = "198.51.100.1";
    static constexpr const char* outside6 = "2001:db8::1";
};

/// Programs that put back what was changed of the machine: run when it goes, the last one first, each a check.
class Undo {
public:
    Undo() = default;
    ~Undo();
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;
    void add(Argv argv) { steps_.push_back(std::move(argv)); }

private:
    std::vector<Argv> steps_;
};

/// A host with an outside behind one cable. The outside knows no way to the networks of jails.
/// Linux: two network namespaces. FreeBSD: the machine itself and a vnet jail, for a jailed root can neither choose a
/// devfs ruleset nor load modules or have limits (kern_jail.c, prison_priv_check); so only one at a time. There pf(4)
/// must evaluate jaild's anchors, or be off and without rules: then it is on while a test host lives. Needs root; a
/// constructor that fails ends the test. The destructor removes all that it can find of its instances, puts back what
/// was changed of the machine, and reports what withstands as a failed check.
class TestHost {
public:
    TestHost();
    ~TestHost();
    TestHost(const TestHost&) = delete;
    TestHost& operator=(const TestHost&) = delete;

    /// For drivers without a daemon: an instance of its own, a state directory beneath /tmp.
    [[nodiscard]] const InstanceId& instance() const { return instance_; }
    [[nodiscard]] const std::filesystem::path& state_directory() const { return state_; }
    [[nodiscard]] kernel::DriverOptions options() const;

    /// While it lives, the calling thread (and each that it starts) is on the host under test.
    class Entered {
    public:
        virtual ~Entered() = default;
    };
    [[nodiscard]] std::unique_ptr<Entered> enter() const;

    /// The argv that runs a program there.
    [[nodiscard]] Argv on_host(const Argv& argv) const;
    [[nodiscard]] Argv outside(const Argv& argv) const;
    /// On the host, but the machine's identity is another one.
    [[nodiscard]] Argv on_another_machine(const Argv& argv) const;
    /// Its standard output; anything but exit code 0 ends the test.
    std::string run_on_host(const Argv& argv) const;
    std::string run_outside(const Argv& argv) const;
    /// What Listener and connect_from() know the two networks by. On FreeBSD the host's own has no name.
    [[nodiscard]] const std::string& host_name() const { return host_; }
    [[nodiscard]] const std::string& outside_name() const { return outside_; }

    /// From now on packets between ports of a bridge, and from them to the host, pass the packet filter.
    void filter_bridges();
    /// Whether a connection of the host's own can come by a port that it publishes: pf(4) redirects none.
    [[nodiscard]] static bool redirects_its_own();

    /// A daemon's instance, to be looked for and cleaned up as well.
    void add_instance(const InstanceId& instance) { instances_.insert(instance); }
    /// What there is of all instances, in words: "interface jk3f9aca", "mount …", "process 12: jaild-shim …".
    [[nodiscard]] std::vector<std::string> leftovers() const;

private:
    void make_networks();
    void clean() const;

    InstanceId instance_;
    std::set<InstanceId> instances_;
    std::filesystem::path state_;
    std::string host_;
    std::string outside_;
    Undo undo_;
};

/// Runs to the end; anything but exit code 0 ends the test. Its standard output.
std::string run_or_fail(const Argv& argv, const RunOptions& options = {});
/// Lines of a program's output that hold the text, or one that says why it cannot be run.
std::vector<std::string> lines_with(const Argv& argv, const std::string& text);

}  // namespace jaild::test
