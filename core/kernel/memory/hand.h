#pragma once

#include <string>

#include "core/base/ids.h"
#include "core/kernel/memory/world.h"
#include "core/kernel/snapshots.h"

namespace jaild::kernel::memory {

enum class Remains {
    nothing,  ///< jail -r: all of it is gone
    corpse,   ///< its processes are gone, the object stays
    dying,    ///< removed, but referred to for a few observations
};

/// What an administrator does by hand, or an accident: behind our back and at once. Each returns false when there was
/// nothing to do it to. Never part of a port.
class Hand {
public:
    explicit Hand(World& world) : world_(world) {}

    bool kill_jail(JailId id, Remains remains);
    bool delete_link(JailId id, unsigned index = 0);
    bool set_link_down(JailId id, unsigned index = 0);
    bool delete_address(JailId id, unsigned index = 0);
    bool delete_route(JailId id, unsigned index = 0);
    bool leave_bridge(JailId id, unsigned index = 0);
    /// The member flag of its bridge that keeps it from others, as it should not be.
    bool flip_isolation(JailId id, unsigned index = 0);
    /// ifconfig -alias
    bool delete_alias(JailId id);
    /// Somebody gives the host an address.
    void add_address(const Alias& alias);
    /// The host goes down without a word and comes up again: what is left are files.
    void reboot();
    /// Its DHCP client: the address stays until the lease ends.
    bool kill_client(JailId id, unsigned index = 0);
    /// umount -f of the topmost mount there, unless something is mounted on it.
    bool unmount(JailId id, const std::string& target);
    /// Something of his own, beneath a jail's directory.
    bool mount_extra(JailId id, const std::string& target);
    bool flush_rules(NetworkId network);
    bool spoil_rules(NetworkId network);
    bool flush_jail_rules(JailId id);
    bool spoil_jail_rules(JailId id);
    /// pfctl -t … -T flush
    bool empty_groups(JailId id);
    bool delete_bridge(NetworkId network);
    bool set_bridge_down(NetworkId network);
    bool delete_applied(JailId id);
    /// The jail changes its files: `content` stands for all of them.
    bool write_root(JailId id, std::int64_t content);
    /// A whole snapshot, without any fault on the way.
    bool take_snapshot(const SnapshotKey& key);
    bool kill_shim(JailId id);
    /// The command ends by itself.
    bool end_command(JailId id, int exit_code);
    bool set_hostname(JailId id, const std::string& hostname);
    bool lower_forwarding();
    /// rctl -r jail:NAME
    bool remove_limits(const std::string& name);
    /// rctl -a
    bool add_limit(const std::string& name, const model::LimitRule& rule);
    /// A process of the jail runs into its limit of that resource.
    bool breach_limit(JailId id, const std::string& resource);
    /// jail -m, of one that was set before
    bool set_parameter(JailId id, const freebsd::Parameter& parameter);
    /// The machine came up without kern.racct.enable, or with it.
    void set_racct(bool on);
    /// pfctl -a: the rules stand in another anchor than they should.
    bool move_rules(NetworkId network, const std::string& anchor);
    /// pfctl -e, pfctl -d
    void set_firewall(bool on);
    /// sysctl net.link.bridge.pfil_member
    void set_pfil_member(bool on);
    /// A program of the host listens on a port.
    void listen(const model::Publish& socket);
    /// A jail that is not ours takes a name, or gives it back.
    bool take_name(const std::string& name);
    bool give_name_back(const std::string& name);
    /// An archive becomes the root of a jail that has none.
    void unpack(JailId id, const model::RootSpec& root);
    /// Somebody deletes a template's tree, or puts it back.
    void lose_template(TemplateId id);
    void find_template(TemplateId id);

private:
    Pair* pair(JailId id, unsigned index);
    World& world_;
};

}  // namespace jaild::kernel::memory
