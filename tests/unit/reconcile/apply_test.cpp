#include "core/reconcile/apply.h"

#include "tests/unit/kernel/machine.h"
#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

Step step(StepKind kind) {
    return {.kind = kind, .object = {}, .mount = {}};
}

}  // namespace

TEST_CASE("the deletion of a large root is no call that hangs", "[apply][long]") {
    CHECK(allowance(removed(wanted_web()), step(StepKind::remove_root)) == hours{1});
}

TEST_CASE("a jail that names no nameserver asks its network's", "[apply][networks]") {
    kernel_test::Machine machine;
    auto desired = wanted_web();
    desired.networks.at(0).nameservers = {value_of(IpAddress::parse("9.9.9.9"))};
    desired.networks.at(0).search = {"example.org"};
    const auto generated = [&] {
        value_of(apply(machine.kernel, desired, {}, step(StepKind::refresh_root)));
        return machine.kernel.state().directories.at(desired.jail.id).generated;
    };
    value_of(apply(machine.kernel, desired, {}, step(StepKind::prepare_root)));
    CHECK(generated().ends_with("; nameserver 9.9.9.9; search example.org"));
    desired.jail.spec.network.nameservers = {value_of(IpAddress::parse("1.1.1.1"))};
    CHECK(generated().ends_with("; nameserver 1.1.1.1; search example.org"));
}

TEST_CASE("programs of the user's may take their timeout, at a removal a minute at most", "[apply][long]") {
    auto desired = changed(wanted_web(), [](model::JailSpec& spec) { spec.exec.timeout = hours{24}; });
    CHECK(allowance(desired, step(StepKind::exec_start)) == hours{24});
    CHECK(allowance(desired, step(StepKind::exec_stop)) == hours{24});
    CHECK(allowance(desired, step(StepKind::stop_command)) == hours{24});
    CHECK(allowance(desired, step(StepKind::remove_jail)) == Milliseconds{0});

    desired = removed(desired);
    CHECK(allowance(desired, step(StepKind::exec_stop)) == minutes{1});
    CHECK(allowance(desired, step(StepKind::stop_command)) == minutes{1});
    desired.jail.spec.exec.timeout = Milliseconds{5'000};
    CHECK(allowance(desired, step(StepKind::stop_command)) == Milliseconds{5'000});
}
