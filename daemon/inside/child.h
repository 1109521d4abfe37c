#pragma once

#include <sys/types.h>

#include <string>

#include "core/base/error.h"
#include "core/base/units.h"

namespace jaild::inside {

/// Where a child writes its answer: the first descriptor that it keeps beside 0, 1 and 2.
inline constexpr int kAnswer = 3;

/// Writes a child's answer: the text with a leading "+", or an error with a leading "-". The reader goes by the end.
void write_answer(int descriptor, const Result<std::string>& answer);
/// Reads one to the end of the pipe. Errc::busy "timeout" after `patience`: a jail's root can stop any process in
/// there.
Result<std::string> read_answer(int descriptor, Milliseconds patience);
/// All that is written to a pipe, to its end; Errc::busy as above.
Result<std::string> read_to_end(int descriptor, Milliseconds patience);
/// The wait status of a child of ours that ends by itself. Errc::busy "timeout" when it did not, and was ended.
Result<int> wait_for(pid_t child, Milliseconds patience);
/// Ends a child of ours, if it still runs, and waits for it.
void end(pid_t child);

}  // namespace jaild::inside
