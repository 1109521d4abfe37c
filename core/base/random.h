#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace jaild {

/// Fills from getrandom(2); ends the program when the kernel has no randomness, which must never be. Any thread.
void fill_random(void* buffer, std::size_t bytes);
/// Evenly distributed in [0, bound); bound > 0.
std::uint64_t random_below(std::uint64_t bound);
/// Twice as many lower-case hexadecimal digits as bytes.
std::string random_hex(std::size_t bytes);

}  // namespace jaild
