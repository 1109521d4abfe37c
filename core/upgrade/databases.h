#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "core/base/error.h"
#include "core/base/units.h"

/// FreeBSD's databases in /etc that are made from text. Blocking, any thread.
namespace jaild::upgrade {

/// What make_databases writes, for MergeOptions::derived: passwd is made of master.passwd too.
std::set<std::string> database_files();

struct DatabasePrograms {
    std::string pwd_mkdb = "pwd_mkdb";
    std::string cap_mkdb = "cap_mkdb";
    Milliseconds timeout{60'000};
};

/// Makes pwd.db, spwd.db and passwd from master.passwd (pwd_mkdb(8) -p), and login.conf.db from login.conf
/// (cap_mkdb(1)), in the open directory `etc`, by the host's own programs. A text that is not there, or no regular
/// file, makes nothing.
///
/// The texts can be a hostile jail's, and cap_mkdb follows links where it writes: so both programs work in `scratch`,
/// an absolute path of an empty directory that only we can reach, on copies, and know no path of the jail. What they
/// made takes its place in `etc` by rename(2). `scratch` is the caller's to empty. Errc::kernel "program_failed" with
/// what pwd_mkdb says of a text that it does not take: then `etc` is as before, but for what was done.
Result<void> make_databases(int etc, const std::filesystem::path& scratch, const DatabasePrograms& programs = {});

}  // namespace jaild::upgrade
