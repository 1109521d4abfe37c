#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "core/base/files.h"
#include "core/kernel/linux/console_socket.h"
#include "tests/catch.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

namespace jaild::test {
namespace {

/// The runtime's part: it connects to the file behind the descriptor that it was given.
UniqueFd reach(const UniqueFd& file) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = "/proc/self/fd/" + std::to_string(file.get());
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
}

void send(const UniqueFd& socket, const std::vector<int>& descriptors) {
    std::string text = "/dev/ptmx";
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
        std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * descriptors.size());
    }
    REQUIRE(::sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// What becomes of descriptors that a runtime sends.
Result<UniqueFd> received(const std::vector<int>& descriptors) {
    const TempDirectory directory;
    const auto held = value_of(files::open_directory(directory.path()));
    const auto console = value_of(kernel::ConsoleSocket::create(held.get()));
    CHECK(std::filesystem::is_empty(directory.path()));
    const auto request = value_of(console->request());
    CHECK(request.type == shim::MessageType::exec);
    REQUIRE(request.descriptors.size() == 3);
    const auto socket = reach(request.descriptors.front());
    send(socket, descriptors);
    return console->master();
}

}  // namespace

TEST_CASE("a runtime's console socket has no name, and takes the master of one terminal", "[host][terminal]") {
    const auto terminal = value_of(PseudoTerminal::open({}));
    const int master = terminal.master.get();
    CHECK(value_of(received({master})));

    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto pipe = value_of(Pipe::create());
    for (const auto& wrong : std::vector<std::vector<int>>{
             {}, {null.get()}, {pipe.read.get()}, {terminal.slave.get()}, {master, master}, {null.get(), master}})
        CHECK(error_of(received(wrong)).reason == "no_terminal");
}

}  // namespace jaild::test
