#pragma once

#include <filesystem>
#include <string>

#include "tests/host/test_host.h"

namespace jaild::test {

/// A pool in a file of the test host's, with a dataset for jaild in it. Gone with the object, whatever is in it.
class Pool {
public:
    explicit Pool(const TestHost& host);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    [[nodiscard]] std::string parent() const { return name_ + "/jails"; }
    /// A configuration of jaild's that has it as zfs_parent.
    [[nodiscard]] const std::filesystem::path& config() const { return config_; }
    /// What zfs(8) lists beneath the parent, a line each: name, jaild's mark.
    [[nodiscard]] std::string listed() const;
    /// Away, and back.
    void take_away() const;
    void bring_back() const;

private:
    std::string name_;
    std::filesystem::path directory_;
    std::filesystem::path config_;
};

}  // namespace jaild::test
