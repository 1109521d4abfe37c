#include "tests/host/zfs_pool_freebsd.h"

#include <fstream>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "tests/results.h"

namespace jaild::test {

Pool::Pool(const TestHost& host)
    : name_("jaildtest-" + host.instance().text()),
      directory_(host.state_directory() / "pool"),
      config_(host.state_directory() / "zfs.toml") {
    std::filesystem::create_directory(directory_);
    const auto file = directory_ / "file";
    std::ofstream(file).close();
    std::filesystem::resize_file(file, std::uintmax_t{400} << 20);
    run_or_fail({"/sbin/zpool", "create", "-f", "-O", "mountpoint=none", name_, file});
    run_or_fail({"/sbin/zfs", "create", parent()});
    std::ofstream(config_) << "zfs_parent = \"" << parent() << "\"\n";
}

Pool::~Pool() {
    CHECK(run({"/sbin/zpool", "destroy", "-f", name_}).value_or(Completed{.exit_code = 1}).exit_code == 0);
}

std::string Pool::listed() const {
    return run_or_fail({"/sbin/zfs", "list", "-H", "-d", "1", "-t", "filesystem", "-o",
                        std::string("name,") + kernel::freebsd::zfs::kOwnerProperty, parent()});
}

void Pool::take_away() const {
    run_or_fail({"/sbin/zpool", "export", name_});
}

void Pool::bring_back() const {
    run_or_fail({"/sbin/zpool", "import", "-d", directory_, name_});
}

}  // namespace jaild::test
