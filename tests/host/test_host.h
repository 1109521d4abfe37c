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

/// A host of our own with an outside behind one cable: two network namespaces on Linux, two vnet jails on FreeBSD. The
/// outside knows no way to the networks of jails. Needs root; a constructor that fails ends the test.
/// The destructor removes all that it can find of its instances, and reports what withstands as a failed check.
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
    /// Its standard output; anything but exit code 0 ends the test.
    std::string run_on_host(const Argv& argv) const;
    std::string run_outside(const Argv& argv) const;
    /// Names that a network namespace has beneath /run/netns; empty on FreeBSD.
    [[nodiscard]] const std::string& host_name() const { return host_; }
    [[nodiscard]] const std::string& outside_name() const { return outside_; }

    /// A daemon's instance, to be looked for and cleaned up as well.
    void add_instance(const InstanceId& instance) { instances_.insert(instance); }
    /// What there is of all instances, in words: "interface jk3f9aca", "mount …", "process 12: jaild-shim …".
    [[nodiscard]] std::vector<std::string> leftovers() const;

private:
    void make_cable() const;
    void clean() const;

    InstanceId instance_;
    std::set<InstanceId> instances_;
    std::filesystem::path state_;
    std::string host_;
    std::string outside_;
};

/// Runs to the end; anything but exit code 0 ends the test. Its standard output.
std::string run_or_fail(const Argv& argv);

}  // namespace jaild::test
