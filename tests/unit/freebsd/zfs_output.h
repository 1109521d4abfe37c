#pragma once

#include <string>

namespace jaild::test {

/// A line as zfs-get(8) prints it with -Hp.
inline std::string zfs_row(const std::string& name, const std::string& property, const std::string& value,
                           const std::string& source) {
    return name + "\t" + property + "\t" + value + "\t" + source + "\n";
}

}  // namespace jaild::test
