#include "core/kernel/linux/apparmor.h"

#include <spdlog/spdlog.h>

#include "core/base/files.h"
#include "core/base/spawn.h"

namespace jaild::kernel::apparmor {
namespace {

constexpr std::size_t kProfilesLimit = 4 << 20;

/// What jails need is allowed as a whole; what the mounts and capabilities of a jail forbid already is forbidden here a
/// second time, for the day on which one of those has a hole. No rule for mount: none is allowed.
constexpr std::string_view kText = R"(profile jaild-default flags=(attach_disconnected,mediate_deleted) {
  capability,
  file,
  network,
  unix,
  ptrace (trace,tracedby,read,readby) peer=jaild-default,
  signal (send,receive) peer=jaild-default,
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,

  deny /proc/* w,
  deny /proc/sys/** wl,
  deny /proc/{acpi,asound,bus,dynamic_debug,fs,irq,scsi}/** wl,
  deny /proc/{kcore,sysrq-trigger} rwklx,
  deny /sys/** wl,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/{debug,security,tracing}/** rwklx,
}
)";

/// Lines of "name (mode)".
bool lists(std::string_view profiles, std::string_view name) {
    const std::string wanted = std::string(name) + " (";
    return profiles.starts_with(wanted) || profiles.find("\n" + wanted) != std::string_view::npos;
}

/// What went wrong, empty when nothing did.
std::string load() {
    const auto done = run({"apparmor_parser", "--replace", "--skip-cache"}, {.input = std::string(kText)});
    if (!done) return done.error().to_string();
    return done->exit_code == 0 ? std::string() : done->error_output;
}

}  // namespace

State state(const std::filesystem::path& sys) {
    const auto enabled = files::read(sys / "module/apparmor/parameters/enabled", 16);
    if (!enabled || !enabled->starts_with('Y')) return State::off;
    const auto profiles = files::read(sys / "kernel/security/apparmor/profiles", kProfilesLimit);
    return profiles && lists(*profiles, kProfile) ? State::loaded : State::missing;
}

std::string_view profile_text() {
    return kText;
}

std::string ensure_profile() {
    auto now = state();
    if (now == State::missing) {
        const auto failed = load();
        now = state();
        if (now == State::missing) spdlog::warn("the AppArmor profile {} cannot be loaded: {}", kProfile, failed);
    }
    return now == State::loaded ? std::string(kProfile) : std::string();
}

}  // namespace jaild::kernel::apparmor
