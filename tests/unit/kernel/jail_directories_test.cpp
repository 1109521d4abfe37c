#include "core/kernel/roots/jail_directories.h"

#include <fstream>

#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
namespace fs = std::filesystem;

TEST_CASE("what a killed daemon was writing goes from the directories of jails, and nothing else", "[kernel]") {
    const TempDirectory state;
    const kernel::JailDirectories directories(state.path());
    directories.clear_temporaries();  // there are none yet
    const auto jail = directories.path(JailId{3});
    fs::create_directories(jail / "root/etc");
    const auto temporary = ".jaild-0123456789abcdef.tmp";
    for (const auto& path : {jail / temporary, jail / "prepared", jail / "root" / temporary, state.path() / temporary})
        std::ofstream(path) << "1";
    fs::create_directories(directories.all() / "4.removing");
    directories.clear_temporaries();
    CHECK_FALSE(fs::exists(jail / temporary));
    CHECK(fs::exists(jail / "prepared"));
    CHECK(fs::exists(jail / "root" / temporary));  // a jail's own
    CHECK(fs::exists(state.path() / temporary));
}
