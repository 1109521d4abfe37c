#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/catch.h"

namespace jaild::test {

/// While it lives, this process can open no more than `left` descriptors at a time: EMFILE for the next one.
class FewDescriptors {
public:
    explicit FewDescriptors(unsigned left) {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        rlimit limited = before_;
        limited.rlim_cur = 0;
        for (unsigned free = 0; free <= left; ++limited.rlim_cur)
            if (::fcntl(static_cast<int>(limited.rlim_cur), F_GETFD) < 0) ++free;
        --limited.rlim_cur;
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &limited) == 0);
    }
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

private:
    rlimit before_{};
};

}  // namespace jaild::test
