#pragma once

#include "core/base/error.h"
#include "core/base/units.h"
#include "core/kernel/freebsd/pure/dhclient_texts.h"
#include "core/kernel/freebsd/pure/inside_text.h"

namespace jaild::inside {

/// Starts /sbin/dhclient of the jail's own files, in the jail, for an interface that is up: its configuration comes by
/// its standard input, and no file is written for it. Returns once it is in the background, which does not wait for a
/// lease. Errc::unsupported "dhcp_client_missing" when the jail has none; Errc::kernel "dhcp_client_failed" with what
/// it said, or when it takes longer than `patience`.
Result<void> start_client(const kernel::freebsd::JailReference& jail, const kernel::freebsd::DhcpClient& client,
                          Milliseconds patience);

}  // namespace jaild::inside
