#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __FreeBSD__
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <set>
#include <sstream>
#include <thread>

#include "core/base/spawn.h"
#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

constexpr const char* kDirectoryVariable = "JAILD_TEST_STATE";
constexpr int kAcknowledge = 3;  // SpawnOptions::pass

std::string own_program() {
#ifdef __FreeBSD__
    std::array<char, 1024> path{};
    std::size_t size = path.size();
    const int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
    REQUIRE(::sysctl(name, 4, path.data(), &size, nullptr, 0) == 0);
    return path.data();
#else
    return std::filesystem::read_symlink("/proc/self/exe").string();
#endif
}

/// Reads names, one a line, until `count` have come; 0: until the other end is closed.
void collect(int fd, std::size_t count, std::string& text) {
    std::array<char, 4096> buffer{};
    while (count == 0 || static_cast<std::size_t>(std::ranges::count(text, '\n')) < count) {
        const ssize_t size = ::read(fd, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

/// A child that is ended, whatever becomes of the test.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { kill_and_wait(); }
    void kill_and_wait() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
    }

private:
    pid_t pid_;
};

}  // namespace

// Not a test: the program that the next one kills. Hidden, it runs only when it is named.
TEST_CASE("a writer that never ends", "[.][store-crash-child]") {
    const char* directory = std::getenv(kDirectoryVariable);
    if (!directory) return;
    StillClock clock;
    auto store = value_of(store::Store::open(
        {.path = std::filesystem::path(directory) / "jaild.db", .host_identity = "this-host"}, clock));
    const auto write_for_ever = [&](int thread) {
        for (int i = 0;; ++i) {
            const auto name = fmt::format("{}-{}-{}", ::getpid(), thread, i);
            auto done = store->write([&](store::Writer& writer) -> Result<void> {
                auto jail = writer.insert_jail(plain(name));
                if (!jail) return std::unexpected(jail.error());
                auto event = writer.append_event("jail.created", name, "", "");
                if (!event) return std::unexpected(event.error());
                return {};
            });
            const auto line = name + "\n";
            if (!done || ::write(kAcknowledge, line.data(), line.size()) < 0) return;
        }
    };
    std::array<std::thread, 3> threads;
    for (int i = 0; i < 3; ++i) threads[static_cast<std::size_t>(i)] = std::thread(write_for_ever, i);
    for (auto& thread : threads) thread.join();
}

TEST_CASE("a daemon killed at any moment has every change that it acknowledged, and each one whole", "[store][crash]") {
    StateDirectory state;
    state.open_with_network();
    std::string acknowledged;
    for (const std::size_t moment : std::array<std::size_t, 5>{1, 2, 7, 40, 300}) {
        auto pipe = value_of(Pipe::create());
        SpawnOptions options;
        options.environment = {fmt::format("{}={}", kDirectoryVariable, state.directory.path().string())};
        options.pass = pipe.write.get();
        Child child(value_of(spawn({own_program(), "[store-crash-child]"}, options)).pid);
        pipe.write.reset();
        std::string now;
        collect(pipe.read.get(), moment, now);
        child.kill_and_wait();
        collect(pipe.read.get(), 0, now);
        REQUIRE(static_cast<std::size_t>(std::ranges::count(now, '\n')) >= moment);
        acknowledged += now;

        auto store = state.open();
        std::set<std::string> names;
        for (const auto& jail : all_jails(*store)) {
            names.insert(jail.name.text());
            CHECK(jail.addresses().size() == 2);
        }
        std::istringstream lines(acknowledged);
        for (std::string name; std::getline(lines, name);) {
            INFO(name);
            CHECK(names.contains(name));
        }
        // A jail and its event are one change: as many of the one as of the other.
        const auto last =
            value_of(store::read<EventSeq>(*store, [](store::Reader& reader) { return reader.last_event(); }));
        CHECK(last.value == static_cast<std::int64_t>(names.size()));
    }
}
