#pragma once

#include "core/model/jail_spec.h"
#include "core/store/connection.h"

namespace jaild::store::datasets {

/// No two jails are given the same dataset, nor one that lies in another's; and none is mounted by the host in a jail
/// while another one is given it. Errc::conflict "dataset_in_use" with field. Jails that go away count, until they are
/// gone.
Result<void> check_free(Connection& connection, const model::JailSpec& spec, JailId self);

}  // namespace jaild::store::datasets
