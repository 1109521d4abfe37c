"""Jails in the network stack of the host that have addresses of their own there."""
import threading
import unittest

from cli import jaildctl
from harness import ApiTest, Settings

LINUX = Settings.kernel == "linux"


def on(*interfaces):
    """The field network of a jail on these addresses: ("em0", "192.0.2.10", …) …"""
    return {"mode": "alias", "interfaces": [{"interface": name, "addresses": list(addresses)}
                                            for name, *addresses in interfaces]}


@unittest.skipUnless(LINUX, "a kernel without the notion")
class AliasesOnLinux(ApiTest):
    def test_they_are_refused_with_the_reason(self):
        asked = {"name": "x", "network": on(("lo", "127.0.1.1"))}
        problem = self.refused(self.daemon.request("POST", "/v1/jails", asked), 422, "unsupported_network_mode",
                               "/network/mode")
        self.assertTrue(problem["remedy"])


@unittest.skipIf(LINUX, "a kernel without the notion")
class Aliases(ApiTest):
    def post(self, network, status, code, field):
        return self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "network": network}), status, code,
                            field)

    def test_they_are_shown_as_they_are_given(self):
        jail = self.daemon.make("web", network=on(("lo1", "127.0.1.1"), ("em0", "192.0.2.10/24", "2001:db8::10")))
        self.assertEqual(jail["spec"]["network"]["interfaces"],
                         [{"interface": "lo1", "addresses": ["127.0.1.1/32"]},
                          {"interface": "em0", "addresses": ["192.0.2.10/24", "2001:db8::10/128"]}])
        self.assertEqual(jail["status"]["addresses"], ["127.0.1.1/32", "192.0.2.10/24", "2001:db8::10/128"])
        self.assertEqual([(one["name"], one["network"]) for one in jail["status"]["interfaces"]],
                         [("lo1", ""), ("em0", "")])

    def test_a_change_of_them_is_live(self):
        self.daemon.make("live", network=on(("em0", "192.0.2.20")))
        jid = self.daemon.request("GET", "/v1/jails/live").json()["status"]["jid"]
        changed = self.daemon.request("PATCH", "/v1/jails/live", {"network": on(("em0", "192.0.2.21"), ("lo1", "127.0.1.20"))},
                                      {"Prefer": "wait=30"})
        self.assertEqual(changed.status, 200, changed)
        status = changed.json()["status"]
        self.assertEqual((status["state"], status["jid"]), ("running", jid))
        self.assertEqual(status["addresses"], ["192.0.2.21/32", "127.0.1.20/32"])
        self.assertNotIn("RestartRequired", [one["type"] for one in status["conditions"]])
        self.daemon.make("next", network=on(("lo1", "192.0.2.20")))

    def test_what_the_host_or_a_jail_has_is_refused(self):
        at = "/network/interfaces/0/addresses/0"
        self.daemon.make("first", network=on(("em0", "192.0.2.30", "2001:db8::30")))
        self.post(on(("em0", "192.0.2.1")), 409, "address_in_use", at)
        self.post(on(("lo1", "2001:db8::1/64")), 409, "address_in_use", at)
        self.assertIn("first", self.post(on(("lo1", "192.0.2.30/24")), 409, "address_in_use", at)["detail"])
        self.post(on(("em0", "192.0.2.31", "2001:db8::30")), 409, "address_in_use", "/network/interfaces/0/addresses/1")
        self.post(on(("em7", "192.0.2.32")), 422, "interface_not_found", "/network/interfaces/0/interface")
        subnet = self.daemon.request("GET", "/v1/networks/default").json()["spec"]["ipv4"]
        self.post(on(("em0", subnet.rsplit(".", 1)[0] + ".77")), 409, "address_in_use", at)

    def test_a_network_leaves_them_alone(self):
        self.daemon.make("apart", network=on(("em0", "172.30.40.7")))
        lab = {"name": "apart-lab", "ipv4": "172.30.40.0/24", "ipv6": None}
        self.refused(self.daemon.request("POST", "/v1/networks", lab), 409, "address_in_use", "/ipv4")
        lab["reserved"] = ["172.30.40.7"]
        self.assertEqual(self.daemon.request("POST", "/v1/networks", lab).status, 201)

    def test_one_address_for_one_of_many_at_once(self):
        count = 16
        answers = [None] * count
        gate = threading.Barrier(count)

        def create(index):
            body = {"name": f"race-{index}", "running": False, "network": on(("em0", "192.0.2.99"))}
            gate.wait()
            answers[index] = self.daemon.request("POST", "/v1/jails", body, timeout=120)

        threads = [threading.Thread(target=create, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answer.status for answer in answers), [202] + [409] * (count - 1))

    def test_they_are_made_by_jaildctl(self):
        ran = jaildctl(self.daemon, "create", "dns", "--network", "alias", "--address", "em0=192.0.2.53", "--address",
                       "lo1=127.0.1.53", "--address", "em0=2001:db8::53/64")
        self.assertEqual((ran.code, ran.err), (0, ""), ran)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/dns").json()["spec"]["network"]["interfaces"],
                         [{"interface": "em0", "addresses": ["192.0.2.53/32", "2001:db8::53/64"]},
                          {"interface": "lo1", "addresses": ["127.0.1.53/32"]}])
        ran = jaildctl(self.daemon, "create", "x", "--network", "alias", "--address", "192.0.2.54")
        self.assertEqual(ran.code, 2)
        self.assertIn("INTERFACE=IP", ran.err)


if __name__ == "__main__":
    unittest.main()
