#include <string>
#include <vector>

#include "core/kernel/freebsd/pure/findings.h"
#include "core/kernel/freebsd/pure/patch_floor.h"
#include "core/kernel/freebsd/pure/rc_conf.h"
#include "tests/catch.h"

using namespace jaild;
using namespace jaild::kernel::freebsd;
using jaild::model::CheckState;

TEST_CASE("a release is read as uname(3) writes it", "[freebsd]") {
    CHECK(parse_release("14.4-RELEASE-p10") == Release{14, 4, "RELEASE", 10});
    CHECK(parse_release("15.0-RELEASE") == Release{15, 0, "RELEASE", 0});
    CHECK(parse_release("15.1-STABLE") == Release{15, 1, "STABLE", 0});
    const auto* text = GENERATE("", "14", "14.", "14.4", "14.4-", "14-RELEASE", "14.4-RELEASE-10", "14.4-RELEASE-p",
                                "14.4-RELEASE-p1x", "6.1.0-generic");
    CAPTURE(text);
    CHECK_FALSE(parse_release(text));
}

TEST_CASE("doctor tells which patch level lets no jail's root out", "[freebsd]") {
    CHECK(check_patch_floor("14.4-RELEASE-p10").state == CheckState::ok);
    CHECK(check_patch_floor("14.4-RELEASE-p9").state == CheckState::problem);
    CHECK(check_patch_floor("14.5-RELEASE").state == CheckState::problem);
    CHECK(check_patch_floor("15.0-RELEASE-p14").state == CheckState::ok);
    CHECK(check_patch_floor("15.1-RELEASE-p3").state == CheckState::problem);
    CHECK(check_patch_floor("15.2-RELEASE").state == CheckState::ok);
    CHECK(check_patch_floor("16.0-RELEASE").state == CheckState::ok);
    CHECK(check_patch_floor("14.0-RELEASE-p5").state == CheckState::problem);
    CHECK(check_patch_floor("13.5-RELEASE-p9").state == CheckState::problem);
    CHECK(check_patch_floor("14.5-STABLE").state == CheckState::warning);
    CHECK(check_patch_floor("nonsense").state == CheckState::warning);
}

TEST_CASE("the last plain assignment of rc.conf(5) counts", "[freebsd]") {
    CHECK(rc_value("ifconfig_DEFAULT=\"SYNCDHCP\"\n", "ifconfig_DEFAULT") == "SYNCDHCP");
    CHECK(rc_value("a=1\na='two words' # why\n", "a") == "two words");
    CHECK(rc_value("a=1;b=2", "a") == "1");
    CHECK(rc_value("  a=1 # why", "a") == "1");
    CHECK(rc_value("#a=1\nab=2\n", "a").empty());
    CHECK(rc_value("a=\"", "a").empty());
    CHECK(rc_value("a=", "a").empty());
}

TEST_CASE("doctor tells what a FreeBSD kernel lacks, and the line that mends it", "[freebsd]") {
    using namespace findings;
    CHECK(vimage(true).state == CheckState::ok);
    CHECK(vimage(false).state == CheckState::problem);
    CHECK(vimage(false).remedy.contains("options VIMAGE"));

    CHECK(racct(Racct::on).state == CheckState::ok);
    CHECK(racct(Racct::off).state == CheckState::warning);
    CHECK(racct(Racct::off).remedy == "sysrc -f /boot/loader.conf kern.racct.enable=1 && shutdown -r now");
    // No tunable helps a kernel that has nothing to be tuned.
    CHECK(racct(Racct::absent).state == CheckState::warning);
    CHECK(racct(Racct::absent).remedy.contains("options RACCT"));

    CHECK(module("if_epair", Module::present).state == CheckState::ok);
    CHECK(module("if_epair", Module::loadable).state == CheckState::ok);
    CHECK(module("if_epair", Module::missing).state == CheckState::problem);
    CHECK(module("if_epair", Module::missing).name == "module_if_epair");
    CHECK_FALSE(module("if_epair", Module::missing).remedy.empty());

    CHECK_FALSE(securelevel(-1));
    CHECK_FALSE(securelevel(0));
    REQUIRE(securelevel(1));
    CHECK(securelevel(1)->state == CheckState::warning);
    CHECK(securelevel(2)->remedy.starts_with("sysrc kld_list+="));
    CHECK(securelevel(3)->state == CheckState::problem);
    CHECK(securelevel(3)->remedy.contains("kern_securelevel=2"));
}

TEST_CASE("doctor tells what of a FreeBSD host's network stands in the way", "[freebsd]") {
    using namespace findings;
    CHECK(forwarding(kForwarding4, 1).state == CheckState::ok);
    CHECK(forwarding(kForwarding4, 0).state == CheckState::warning);
    CHECK(forwarding(kForwarding4, 0).remedy == "sysctl net.inet.ip.forwarding=1 && sysrc gateway_enable=YES");
    CHECK(forwarding(kForwarding6, 0).remedy == "sysctl net.inet6.ip6.forwarding=1 && sysrc ipv6_gateway_enable=YES");
    CHECK(forwarding(kForwarding6, std::nullopt).state == CheckState::warning);

    CHECK(bridge_filter(false, false).state == CheckState::ok);
    CHECK(bridge_filter(false, false)
              .detail.contains("sysctl net.link.bridge.pfil_member=1 net.link.bridge.pfil_local_phys=1"));
    CHECK(bridge_filter(true, true).state == CheckState::ok);
    CHECK(bridge_filter(true, false).state == CheckState::warning);
    CHECK(bridge_filter(true, false).remedy.contains("net.link.bridge.pfil_local_phys=1"));

    CHECK(ipfw(false).state == CheckState::ok);
    CHECK(ipfw(true).state == CheckState::warning);
    CHECK_FALSE(ipfw(true).remedy.empty());

    CHECK(breaches({}).state == CheckState::ok);
    const auto deaf = breaches(std::unexpected(Error::from_errno("connect", ENOENT, "/var/run/devd.seqpacket.pipe")));
    CHECK(deaf.state == CheckState::warning);
    CHECK(deaf.detail.contains("/var/run/devd.seqpacket.pipe"));
    CHECK(deaf.remedy == "sysrc devd_enable=YES && service devd start");

    CHECK(devd("", {}).state == CheckState::ok);
    CHECK(devd("DHCP", {}).remedy == "sysrc -x ifconfig_DEFAULT");
    const std::vector<std::string> interfaces{"em0", "em1"};
    const auto warned = devd("inet 192.0.2.1/24", interfaces);
    CHECK(warned.state == CheckState::warning);
    CHECK(warned.remedy ==
          "sysrc ifconfig_em0=\"inet 192.0.2.1/24\" && sysrc ifconfig_em1=\"inet 192.0.2.1/24\" && "
          "sysrc -x ifconfig_DEFAULT");
}
