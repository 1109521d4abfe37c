#include "tests/host/devd_freebsd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "core/kernel/freebsd/devd_listener.h"
#include "tests/catch.h"

namespace jaild::test {
namespace {

sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.native().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    return address;
}

UniqueFd seqpacket() {
    UniqueFd made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(made);
    return made;
}

bool answers(const std::filesystem::path& path) {
    const auto address = address_of(path);
    return ::connect(seqpacket().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

DevdSocket::DevdSocket(std::filesystem::path path) : path_(std::move(path)), listener_(seqpacket()) {
    const auto address = address_of(path_);
    // One that nobody listens to is left of a devd that was killed.
    std::filesystem::remove(path_);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
}

DevdSocket::~DevdSocket() {
    std::filesystem::remove(path_);
}

void DevdSocket::take_clients() {
    while (UniqueFd client{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)})
        clients_.push_back(std::move(client));
}

void DevdSocket::pass_on(const std::string& message) {
    take_clients();
    std::erase_if(clients_, [&](const UniqueFd& client) {
        return ::send(client.get(), message.data(), message.size(), MSG_EOR | MSG_NOSIGNAL) < 0;
    });
}

Devd::Devd() {
    const std::filesystem::path path = kernel::freebsd::DevdListener::kSocket;
    if (answers(path)) return;
    devctl_.reset(::open("/dev/devctl", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    REQUIRE(devctl_);
    socket_ = std::make_unique<DevdSocket>(path);
    thread_ = std::thread([this] { run(); });
}

Devd::~Devd() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
}

void Devd::run() {
    constexpr int kLook = 100;
    while (!ending_) {
        pollfd watched{.fd = devctl_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&watched, 1, kLook) <= 0) continue;
        std::array<char, 4096> message{};
        const auto size = ::read(devctl_.get(), message.data(), message.size());
        if (size > 0) socket_->pass_on(std::string(message.data(), static_cast<std::size_t>(size)));
    }
}

}  // namespace jaild::test
