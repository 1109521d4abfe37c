#pragma once

#include "tests/host/residue.h"

/// What only Linux has.
namespace jaild::test::residue {

/// Network namespaces by name.
std::vector<std::string> namespaces_of(const InstanceId& instance);
/// Directories of control groups, children first.
std::vector<std::filesystem::path> groups_of(const InstanceId& instance);
/// Directories beneath /run.
std::vector<std::filesystem::path> runtime_directories_of(const InstanceId& instance);

}  // namespace jaild::test::residue
