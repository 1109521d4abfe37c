#include "core/kernel/freebsd/pure/patch_floor.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace jaild::kernel::freebsd {
namespace {

constexpr std::string_view kAdvisory = "FreeBSD-SA-26:66.jail";

struct Floor {
    int major;
    int minor;
    int patch;
};
/// The first patch level of each release that has the correction of kAdvisory.
constexpr std::array<Floor, 4> kFloors{{{14, 4, 10}, {14, 5, 1}, {15, 0, 14}, {15, 1, 4}}};

bool take_number(std::string_view& text, int& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool take_character(std::string_view& text, char character) {
    if (!text.starts_with(character)) return false;
    text.remove_prefix(1);
    return true;
}

enum class Standing { patched, unpatched, unsupported };

Standing standing(const Release& release) {
    const auto older = [&](const Floor& floor) {
        return std::pair(release.major, release.minor) < std::pair(floor.major, floor.minor);
    };
    const auto* exact = std::ranges::find_if(
        kFloors, [&](const Floor& floor) { return floor.major == release.major && floor.minor == release.minor; });
    if (exact != kFloors.end()) return release.patch >= exact->patch ? Standing::patched : Standing::unpatched;
    // Between two that are listed of one major version lies none: older than the first of its version, or newer.
    const auto* first = std::ranges::find_if(kFloors, [&](const Floor& floor) { return floor.major >= release.major; });
    return first != kFloors.end() && older(*first) ? Standing::unsupported : Standing::patched;
}

}  // namespace

std::optional<Release> parse_release(std::string_view text) {
    Release release;
    if (!take_number(text, release.major) || !take_character(text, '.') || !take_number(text, release.minor) ||
        !take_character(text, '-'))
        return std::nullopt;
    const auto dash = text.find('-');
    release.branch = std::string(text.substr(0, dash));
    if (release.branch.empty()) return std::nullopt;
    if (dash == std::string_view::npos) return release;
    text.remove_prefix(dash + 1);
    if (!take_character(text, 'p') || !take_number(text, release.patch) || !text.empty()) return std::nullopt;
    return release;
}

model::Check check_patch_floor(std::string_view text) {
    model::Check check{.name = "patch_level"};
    const auto release = parse_release(text);
    if (!release || release->branch != "RELEASE") {
        check.state = model::CheckState::warning;
        check.detail = "the name " + std::string(text) + " does not tell whether " + std::string(kAdvisory) +
                       " is corrected: compare the date of this kernel with the advisory's";
        check.remedy =
            "uname -v; fetch -o - https://www.freebsd.org/security/advisories/" + std::string(kAdvisory) + ".asc";
        return check;
    }
    switch (standing(*release)) {
        case Standing::patched:
            check.detail = std::string(text) + " has the correction of " + std::string(kAdvisory);
            return check;
        case Standing::unpatched:
            check.state = model::CheckState::problem;
            check.detail = std::string(text) + " lacks the correction of " + std::string(kAdvisory);
            check.remedy = "freebsd-update fetch install && shutdown -r now";
            return check;
        case Standing::unsupported:
            check.state = model::CheckState::problem;
            check.detail = std::string(text) + " gets no corrections any more, nor that of " + std::string(kAdvisory);
            check.remedy = "freebsd-update -r 14.5-RELEASE upgrade";
            return check;
    }
    return check;
}

}  // namespace jaild::kernel::freebsd
