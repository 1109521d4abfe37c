#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/unique_fd.h"

namespace jaild::test {

/// What devd(8) passes on, by a socket of its kind.
class DevdSocket {
public:
    explicit DevdSocket(std::filesystem::path path);
    DevdSocket(const DevdSocket&) = delete;
    DevdSocket& operator=(const DevdSocket&) = delete;
    ~DevdSocket();
    /// To all clients that there are.
    void pass_on(const std::string& message);

private:
    void take_clients();

    std::filesystem::path path_;
    UniqueFd listener_;
    std::vector<UniqueFd> clients_;
};

/// While it lives, what the kernel tells devd(8) can be read where devd passes it on: by devd itself where that runs,
/// else by this.
class Devd {
public:
    Devd();
    Devd(const Devd&) = delete;
    Devd& operator=(const Devd&) = delete;
    ~Devd();

private:
    void run();

    std::unique_ptr<DevdSocket> socket_;
    UniqueFd devctl_;
    std::atomic<bool> ending_ = false;
    std::thread thread_;
};

}  // namespace jaild::test
