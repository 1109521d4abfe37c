#include "core/base/unique_fd.h"

#include <fcntl.h>
#include <sys/select.h>

#include <cerrno>

namespace jaild {

UniqueFd out_of_the_way(UniqueFd fd) {
    UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, FD_SETSIZE));
    return moved ? std::move(moved) : std::move(fd);
}

Result<Pipe> Pipe::create() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(Error::from_errno("pipe2", errno));
    return Pipe{.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

}  // namespace jaild
