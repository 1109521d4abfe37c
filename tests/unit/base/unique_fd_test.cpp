#include "core/base/unique_fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "tests/few_descriptors.h"
#include "tests/results.h"

using namespace jaild;
using jaild::test::value_of;

TEST_CASE("a descriptor that is kept for long leaves the low ones to select(2)", "[fd]") {
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    REQUIRE(limit.rlim_max > FD_SETSIZE + 16);
    const auto before = limit;
    limit.rlim_cur = FD_SETSIZE + 16;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    auto pipe = value_of(Pipe::create());
    const int low = pipe.write.get();
    pipe.write = out_of_the_way(std::move(pipe.write));
    CHECK(pipe.write.get() >= FD_SETSIZE);
    CHECK(::fcntl(low, F_GETFD) == -1);
    CHECK((::fcntl(pipe.write.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::write(pipe.write.get(), "x", 1) == 1);
    char got = 0;
    CHECK(::read(pipe.read.get(), &got, 1) == 1);
    CHECK(got == 'x');
    pipe.write.reset();
    CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("a descriptor stays where it is when the process may not have so many", "[fd]") {
    auto pipe = value_of(Pipe::create());
    const int low = pipe.write.get();
    {
        const test::FewDescriptors few(2);
        pipe.write = out_of_the_way(std::move(pipe.write));
    }
    CHECK(pipe.write.get() == low);
    CHECK(::write(pipe.write.get(), "x", 1) == 1);
}
