#pragma once

#include "core/base/error.h"

/// What jaild-archive gives up before it reads the first byte of an archive.
namespace jaild::archive {

/// Makes the directory this process's root and working directory, whence there is no way out; then lets go of all
/// privileges but those that unpacking takes, and bounds its memory. Once, at the start.
Result<void> confine(int directory);

}  // namespace jaild::archive
