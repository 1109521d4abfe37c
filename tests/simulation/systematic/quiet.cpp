#include <spdlog/spdlog.h>

namespace {

/// Thousands of failures that are asked for say nothing.
[[maybe_unused]] const bool kQuiet = [] {
    spdlog::set_level(spdlog::level::off);
    return true;
}();

}  // namespace
