#include "tests/host/processes.h"

#include <signal.h>

#include "tests/catch.h"
#include "tests/host/eventually.h"

namespace jaild::test {

void kill_process(pid_t process) {
    REQUIRE(process > 1);
    REQUIRE(::kill(process, SIGKILL) == 0);
    REQUIRE(eventually([process] { return !lives(process); }));
}

}  // namespace jaild::test
