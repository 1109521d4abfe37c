#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/base/units.h"

/// mount(2) by descriptors: nothing is resolved twice, nothing is attached before it is as it shall be.
namespace jaild::kernel::mount_api {

enum class Submounts { leave_out, include };
enum class Propagation { isolated, shared };

/// What a tree is to be. Device files in it never work.
struct Attributes {
    bool read_only = false;
    bool no_suid = false;
    bool no_exec = false;
    Propagation propagation = Propagation::isolated;  ///< of its top; what is beneath is always isolated
};

/// A copy of the mount tree at `source`, attached nowhere and in no peer group of the host's, with these attributes on
/// every mount of it. `source` is absolute and holds no symbolic link.
Result<UniqueFd> clone(const std::string& source, Submounts submounts, const Attributes& attributes);

/// The same of an open directory; `what` names it for people.
Result<UniqueFd> clone(int source, const std::string& what, Submounts submounts, const Attributes& attributes);

/// A tmpfs(5) of its own that everybody may write to, attached nowhere. `size`: at most; 0: half of the memory.
Result<UniqueFd> make_tmpfs(Bytes size, const Attributes& attributes);

/// Attaches a detached tree on an open directory (O_PATH).
Result<void> attach(int tree, int target);

/// The directory is the root of a mount (and so a target that is taken already).
Result<bool> is_mount_root(int directory);

/// Which mount an open file or directory is in: another than that of a private directory is not ours to write to.
Result<std::uint64_t> mount_id(int file);

/// Takes the topmost mount off `name`, directly in the open directory `parent`; none there: success.
enum class Busy { fail, detach };
Result<void> unmount(int parent, const std::string& name, Busy busy);

}  // namespace jaild::kernel::mount_api
