#pragma once

#include <string>

/// What template `host` generates in a FreeBSD jail's /etc beside roots/etc_text.h. Pure.
namespace jaild::kernel::freebsd {

/// passwd(5) as pwd_mkdb(8) wants it, and group(5): the accounts of the base system, with the numbers that
/// BSD.var.dist and the base's daemons rely on. No password fits any of them.
std::string master_passwd();
std::string group();
/// rc.conf(5) of a new jail, its own from then on.
std::string rc_conf();
/// fstab(5): nothing, but rc.d wants the file.
std::string fstab();

}  // namespace jaild::kernel::freebsd
