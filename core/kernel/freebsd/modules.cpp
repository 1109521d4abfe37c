#include "core/kernel/freebsd/modules.h"

#include <sys/param.h>
// after <sys/param.h>
#include <sys/linker.h>
#include <sys/module.h>

#include <cerrno>

namespace jaild::kernel::freebsd {

bool has_module(const std::string& name) {
    return ::modfind(name.c_str()) >= 0;
}

Result<void> load_module(const std::string& name) {
    if (has_module(name) || ::kldload(name.c_str()) >= 0 || errno == EEXIST) return {};
    auto error = Error::from_errno("kldload", errno, name);
    error.code = Errc::unsupported;
    error.reason = "module_missing";
    error.remedy = "kldload " + name + "; sysrc kld_list+=" + name;
    return std::unexpected(std::move(error));
}

}  // namespace jaild::kernel::freebsd
