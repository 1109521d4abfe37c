#pragma once

#include <string>
#include <string_view>

#include "api/v1/handlers.h"
#include "api/v1/piped_work.h"

namespace jaild::api::v1 {

/// A body that blocking work writes into a pipe.
struct Download {
    std::string_view content_type;
    std::string filename;  ///< a client's proposal
    std::string what;      ///< for the log: "the export of jail web"
    PipedWork<void>::Work work;
};

/// The answer to a request for it: a problem when the work fails before its first byte. A body whose work fails later
/// is cut off; what comes last is sent when it is known that all is well. When the client leaves, the work ends.
Answer download(Service& service, const Request& request, Slots::Slot slot, Download wanted);

}  // namespace jaild::api::v1
