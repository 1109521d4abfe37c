#include <fcntl.h>
#include <signal.h>

#include <atomic>

#include "core/base/files.h"
#include "core/kernel/linux/capabilities.h"
#include "core/kernel/linux/linux_kernel.h"
#include "tests/host/eventually.h"
#include "tests/host/jail_fixture_linux.h"

namespace jaild::test {
namespace {

/// All ports as the daemon has them: the runtime is run by the jail's shim.
struct KernelFixture {
    TestHost host;
    std::unique_ptr<kernel::LinuxKernel> kernel = value_of(kernel::LinuxKernel::create(JailFixture::options(host)));

    void start() {
        const auto root = JailFixture::root_parameters(kJail);
        value_of(kernel->roots().prepare(root));
        value_of(kernel->roots().refresh(root));
        for (const auto& mount : value_of(kernel->roots().mounts(root))) value_of(kernel->mounts().mount(kJail, mount));
        value_of(kernel->processes().hold(kJail));
        value_of(kernel->jails().create(JailFixture::jail_parameters(kJail)));
    }
    void remove() {
        value_of(kernel->jails().remove(kJail));
        value_of(kernel->processes().release(kJail));
        const auto mounts = value_of(kernel->mounts().list(kJail));
        for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount)
            value_of(kernel->mounts().unmount(kJail, mount->target));
        value_of(kernel->roots().remove(kJail));
    }
    kernel::ObservedJail jail() {
        const auto all = value_of(kernel->jails().list(kJail));
        REQUIRE(all.size() == 1);
        return all.front();
    }
    kernel::ObservedShim shim() {
        const auto all = value_of(kernel->processes().list(kJail));
        REQUIRE(all.size() == 1);
        return all.front();
    }
    /// A program's output and exit code, run as the API's exec does.
    std::pair<int, std::string> exec(const std::vector<std::string>& argv) {
        auto pipe = value_of(Pipe::create());
        UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        UniqueFd other(::open("/dev/null", O_RDWR | O_CLOEXEC));
        auto program = value_of(kernel->processes().exec(kJail, {.argv = argv},
                                                         {std::move(null), std::move(pipe.write), std::move(other)}));
        std::string output;
        char buffer[4096];
        for (ssize_t got = 0; (got = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0;)
            output.append(buffer, static_cast<std::size_t>(got));
        return {value_of(program->wait()).exit_code, output};
    }
};

std::string field(const std::string& status, const std::string& name) {
    const auto at = status.find("\n" + name + ":\t");
    REQUIRE(at != std::string::npos);
    const auto begin = at + name.size() + 3;
    return status.substr(begin, status.find('\n', begin) - begin);
}

TEST_CASE("the shim is the parent of process 1 and of what is executed beside it", "[host][kernel]") {
    KernelFixture fixture;
    fixture.start();
    const auto pid = fixture.jail().pid;
    CHECK(field(read_file("/proc/" + std::to_string(pid) + "/status"), "PPid") == std::to_string(fixture.shim().pid));

    const auto [code, output] = fixture.exec({"/bin/sh", "-c", "hostname; cat /proc/self/status; exit 7"});
    CHECK(code == 7);
    CHECK(output.starts_with("host1\n"));
    CHECK(field(output, "NoNewPrivs") == "1");
    CHECK(field(output, "Seccomp") == "2");
    CHECK(std::stoull(field(output, "CapBnd"), nullptr, 16) == kernel::jail_capability_mask());
    CHECK(std::stoull(field(output, "CapEff"), nullptr, 16) == kernel::jail_capability_mask());
    fixture.remove();
    CHECK(value_of(fixture.kernel->jails().list({})).empty());
    CHECK(value_of(fixture.kernel->roots().list()).empty());
}

TEST_CASE("the death of a jail's process 1 is reported at once", "[host][kernel]") {
    KernelFixture fixture;
    std::atomic<int> changes = 0;
    fixture.kernel->watch([&changes](JailId id) {
        if (id == kJail) ++changes;
    });
    fixture.start();
    const int before = changes;
    REQUIRE(::kill(static_cast<pid_t>(fixture.jail().pid), SIGKILL) == 0);
    CHECK(eventually([&] { return changes > before; }));
    CHECK_FALSE(fixture.jail().alive);
    value_of(fixture.kernel->jails().create(JailFixture::jail_parameters(kJail)));  // by the same shim
    CHECK(fixture.jail().alive);
    fixture.remove();
}

TEST_CASE("another daemon's driver finds the jail with the same process", "[host][kernel]") {
    KernelFixture fixture;
    fixture.start();
    const auto before = fixture.jail();
    fixture.kernel.reset();
    fixture.kernel = value_of(kernel::LinuxKernel::create(JailFixture::options(fixture.host)));
    CHECK(fixture.jail() == before);
    CHECK(fixture.shim().alive);
    CHECK(fixture.exec({"/bin/echo", "here"}) == std::pair(0, std::string("here\n")));
    fixture.remove();
}

}  // namespace
}  // namespace jaild::test
