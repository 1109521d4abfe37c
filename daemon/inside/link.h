#pragma once

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/inside_text.h"

/// The network of the jail that this process is in.
namespace jaild::inside {

/// lo0 with 127.0.0.1/8; ::1 comes by itself with IPv6.
Result<void> raise_loopback();
/// Makes the pair, or makes it anew when it is not whole, marks both ends, and sets up lo0 and the jail's end.
Result<void> ensure_link(const kernel::freebsd::InsideLink& link);
/// Both ends of the pair of that index, wherever the other one is.
Result<void> destroy_link(unsigned index);
Result<kernel::freebsd::InsideView> look(int jid);

}  // namespace jaild::inside
