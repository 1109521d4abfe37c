#include "tests/host/test_host.h"

#include <stdlib.h>
#include <unistd.h>

#include <sstream>

#include "tests/catch.h"
#include "tests/host/eventually.h"
#include "tests/host/residue.h"

namespace jaild::test {
namespace {

std::filesystem::path make_state_directory() {
    std::string name = "/tmp/jaild-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return std::filesystem::canonical(name);
}

}  // namespace

std::string run_or_fail(const Argv& argv, const RunOptions& options) {
    std::string whole;
    for (const auto& word : argv) whole += word + ' ';
    const auto done = run(argv, options);
    INFO(whole);
    INFO((done ? done->error_output : done.error().to_string()));
    REQUIRE(done);
    REQUIRE(done->exit_code == 0);
    return done->output;
}

std::vector<std::string> lines_with(const Argv& argv, const std::string& text) {
    std::vector<std::string> found;
    const auto done = run(argv);
    if (!done) return {"cannot look: " + done.error().to_string()};
    std::istringstream lines(done->output);
    for (std::string line; std::getline(lines, line);) {
        if (line.contains(text)) found.push_back(line);
    }
    return found;
}

Undo::~Undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
        const auto done = run(*step);
        INFO(step->front() << ' ' << step->back() << ": " << (done ? done->error_output : done.error().to_string()));
        CHECK(done.value_or(Completed{.exit_code = 1}).exit_code == 0);
    }
}

TestHost::TestHost()
    : instance_(InstanceId::generate()),
      state_(make_state_directory()),
      host_("jaildtest-" + instance_.text() + "-host"),
      outside_("jaildtest-" + instance_.text() + "-outside") {
    INFO("a test host needs root");
    REQUIRE(::geteuid() == 0);
    instances_.insert(instance_);
    make_networks();
}

TestHost::~TestHost() {
    std::string left;
    eventually([&] {
        clean();  // again while a killed process is on its way out: its cgroup and mounts are busy until then
        left.clear();
        for (const auto& line : leftovers()) left += line + '\n';
        return left.empty();
    });
    residue::remove_state(state_);
    INFO("left: " << left);
    CHECK(left.empty());
    CHECK_FALSE(std::filesystem::exists(state_));
}

kernel::DriverOptions TestHost::options() const {
    return {.instance = instance_, .state_directory = state_, .helper_directory = "/nonexistent"};
}

std::string TestHost::run_on_host(const Argv& argv) const {
    return run_or_fail(on_host(argv));
}
std::string TestHost::run_outside(const Argv& argv) const {
    return run_or_fail(outside(argv));
}

}  // namespace jaild::test
