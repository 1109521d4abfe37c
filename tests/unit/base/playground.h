#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "tests/temp_directory.h"

#ifdef __linux__
#include <sys/mount.h>
#endif

namespace jaild::test {

inline void touch(const std::filesystem::path& path) {
    std::ofstream(path) << "x";
}

/// Where trees are removed or copied and, deep beside it, what links lead to. All in one directory of the test's own,
/// so that a removal that goes astray, through a link and up again by "..", is seen here and harms nothing else.
class Playground {
public:
    Playground() {
        std::filesystem::create_directories(home());
        std::filesystem::create_directories(outside());
        touch(outside() / "victim");
        touch(outside().parent_path() / "victim");
        fd_ = value_of(files::open_directory(home()));
    }
    [[nodiscard]] std::filesystem::path home() const { return own_.path() / "home"; }
    [[nodiscard]] std::filesystem::path outside() const { return own_.path() / "deep/beside/outside"; }
    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Nothing beyond the removed trees is gone.
    [[nodiscard]] bool untouched() const {
        return std::filesystem::exists(home()) && std::filesystem::exists(outside() / "victim") &&
               std::filesystem::exists(outside().parent_path() / "victim");
    }

private:
    TempDirectory own_;
    UniqueFd fd_;
};

inline bool is_root() {
    if (::geteuid() == 0) return true;
    WARN("not root: nothing is mounted, so nothing is tested");
    return false;
}

#ifdef __linux__

/// A mount of the test's own, taken away again however the test ends.
class TestMount {
public:
    TestMount(const char* source, std::filesystem::path target, const char* type, unsigned long flags)
        : target_(std::move(target)) {
        mounted_ = ::mount(source, target_.c_str(), type, flags, "") == 0;
    }
    ~TestMount() { unmount(); }
    TestMount(const TestMount&) = delete;
    TestMount& operator=(const TestMount&) = delete;
    void unmount() {
        if (std::exchange(mounted_, false)) ::umount2(target_.c_str(), MNT_DETACH);
    }
    [[nodiscard]] bool mounted() const { return mounted_; }

private:
    std::filesystem::path target_;
    bool mounted_ = false;
};

#endif

}  // namespace jaild::test
