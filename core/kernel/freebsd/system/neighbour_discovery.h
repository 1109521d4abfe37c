#pragma once

#include <sys/types.h>
// after <sys/types.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet6/in6_var.h>

/// <netinet6/nd6.h> uses a structure that in6_var.h declares within another one, which C finds and C++ does not. It is
/// a part of struct in6_prefix, of which we know no more than that.
struct prf_ra {
    u_char onlink : 1;
    u_char autonomous : 1;
    u_char reserved : 6;
};

#include <netinet6/nd6.h>
