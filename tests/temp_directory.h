#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "core/base/files.h"
#include "tests/results.h"

namespace jaild::test {

/// A directory of the test's own, removed with all that is in it; never across a mount that the test left behind.
class TempDirectory {
public:
    TempDirectory() {
        auto pattern = (std::filesystem::temp_directory_path() / "jaild-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) FAIL("mkdtemp: no temporary directory");
        path_ = std::filesystem::canonical(pattern);
        fd_ = value_of(files::open_directory(path_));
    }
    ~TempDirectory() {
        const auto parent = files::open_directory(path_.parent_path());
        if (parent) static_cast<void>(files::remove_tree(parent->get(), path_.filename().string()));
    }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    std::filesystem::path path_;
    UniqueFd fd_;
};

}  // namespace jaild::test
