#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/host/client.h"

namespace jaild::test {

/// A file of this machine with the secret in it, that no jail may see; gone with the object.
class Planted {
public:
    explicit Planted(std::filesystem::path path);
    ~Planted();
    Planted(const Planted&) = delete;
    Planted& operator=(const Planted&) = delete;

private:
    std::filesystem::path path_;
};

/// A running jail `web` of a daemon with the secret in its environment, on a machine with the secret in files.
struct Seen {
    TestHost host;
    std::string name = "jaild-secret-of-" + host.instance().text();
    std::vector<std::unique_ptr<Planted>> planted;
    Daemon daemon{host};
    Client client{daemon};

    Seen();
    /// What a line of sh(1) finds in the jail, which has the secret on its standard input: never in a program's
    /// arguments, where a search would find its own.
    [[nodiscard]] std::string found(const std::string& line) const;
};

}  // namespace jaild::test
