#pragma once

#include "core/model/jail.h"
#include "core/store/reader.h"

namespace jaild::jobs {

/// A stopped jail that is read for long is as it was when that began: it was not even started and stopped again.
/// Nothing when it is; else what became of it, for people: "changed", "removed".
Result<const char*> changed_since(store::Reader& reader, const model::Jail& jail);

}  // namespace jaild::jobs
