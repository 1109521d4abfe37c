#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/spawn.h"
#include "core/base/units.h"

namespace jaild::templates {

struct Options {
    std::filesystem::path state{};                      ///< jaild's state directory
    std::filesystem::path program{};                    ///< jaild-archive; empty: this daemon imports nothing
    std::uint64_t max_bytes = std::uint64_t{32} << 30;  ///< of one template, unpacked
    std::uint64_t max_entries = 4'000'000;              ///< of one template
    std::size_t at_once = 2;                            ///< imports; others wait
    Argv updater{};                                     ///< of a template's copy; empty: the system's own
    Milliseconds longest_update{2 * 3'600'000};         ///< of the updater
    Milliseconds download_stall{60'000};                ///< of a download from which nothing comes
    Milliseconds try_again{30'000};                     ///< a removal, or what could not be written down
};

}  // namespace jaild::templates
