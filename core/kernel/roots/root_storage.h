#pragma once

#include "core/base/error.h"
#include "core/model/jail_spec.h"

namespace jaild::kernel {

enum class RootOnDataset { yes, no };

/// Errc::unsupported "storage_unsupported", with the field, when a spec asks for what a directory cannot have.
/// `remedy` as the system has one.
Result<void> check_storage(const model::Storage& storage, RootOnDataset on, const char* remedy);

}  // namespace jaild::kernel
