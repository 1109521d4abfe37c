"""Devices that a jail's /dev shows beyond the usual ones."""

import os
import pathlib
import stat
import unittest

from cli import jaildctl
from harness import TOKENS, ApiTest, Settings, needs_root

WAIT = {"Prefer": "wait=60"}


class Devices(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def test_what_is_refused(self):
        for devices, code, field in ((["missing-device"], "device_missing", "/devices/0"), (["*"], "invalid_value", "/devices/0"),
                                     (["/dev/mem"], "invalid_value", "/devices/0"), ("fuse", "wrong_type", "/devices"),
                                     (["d"] * 65, "too_many", "/devices")):
            with self.subTest(devices):
                self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "devices": devices}), 422, code, field)
        self.daemon.make("x", running=False)
        self.refused(self.daemon.request("PATCH", "/v1/jails/x", {"devices": ["missing-device"]}), 422, "device_missing",
                     "/devices/0")


@unittest.skipIf(Settings.kernel == "linux", "the model's devices")
class DevicesOfTheModel(Devices):
    def test_a_running_jail_waits_for_its_next_start(self):
        made = self.daemon.make("web", devices=["fuse"])
        self.assertEqual(made["spec"]["devices"], ["fuse"])
        changed = self.daemon.request("PATCH", "/v1/jails/web", {"devices": ["fuse", "tun*"]}, WAIT)
        self.assertEqual(changed.status, 200, changed.body)
        waiting = [one for one in changed.json()["status"]["conditions"] if one["type"] == "RestartRequired"]
        self.assertIn("/devices", waiting[0]["message"])
        again = self.daemon.request("POST", "/v1/jails/web/restart", None, WAIT)
        self.assertEqual(again.status, 200, again.body)
        conditions = again.json()["status"]["conditions"]
        self.assertNotIn("RestartRequired", [one["type"] for one in conditions if one["status"] is True])
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/web", {"devices": None}, WAIT).json()["spec"]["devices"], [])


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class DeviceRoles(ApiTest):
    tcp = True

    def test_only_an_admin_chooses_devices(self):
        operator = {"Authorization": f"Bearer {TOKENS['operator']}"}
        refused = self.daemon.request("POST", "/v1/jails", {"name": "x", "devices": ["fuse"]}, operator, tcp=True)
        self.refused(refused, 403, "role_too_low")
        self.daemon.make("own", running=False, devices=["fuse", "tun*"])
        ask = lambda body: self.daemon.request("PATCH", "/v1/jails/own", body, operator, tcp=True)
        self.refused(ask({"devices": ["fuse"]}), 403, "role_too_low")
        self.assertIn(ask({"devices": ["fuse", "tun*"], "labels": {"a": "b"}}).status, (200, 202))
        self.assertIn(ask({"devices": []}).status, (200, 202))


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "the memory kernel's jails have no files")
class RealDevices(Devices):
    def setUp(self):
        super().setUp()
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/kmsg").st_mode))

    def run_in(self, name, script):
        return jaildctl(self.daemon, "exec", name, "--", "sh", "-c", script)

    def test_a_jail_uses_what_it_was_given_and_nothing_else(self):
        loops = sorted(one.name for one in pathlib.Path("/dev").glob("loop[01]"))
        self.daemon.make("with", devices=["kmsg", "loop[01]"])
        self.daemon.make("plain")
        listed = self.run_in("with", "stat -c '%n %F %t:%T %a %u' /dev/kmsg; cd /dev; ls -d loop*")
        mode = os.stat("/dev/kmsg").st_mode & 0o777
        self.assertEqual(listed.out.splitlines(), [f"/dev/kmsg character special file 1:b {mode:o} 0", *loops], listed)
        self.assertNotEqual(self.run_in("plain", "ls /dev/kmsg").code, 0)
        # Written to in order to be opened only: nothing is said to the host's log.
        opened = self.run_in("with", ": >>/dev/kmsg")
        self.assertEqual(opened.code, 0, opened)
        # Not by a file of the same device that it makes itself, and not by making one.
        self.assertNotEqual(self.run_in("with", "mknod /tmp/mem c 1 1").code, 0)

    def test_a_device_beneath_a_directory(self):
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("this host has no /dev/net/tun")
        self.daemon.make("vpn", devices=["net/*"])
        self.assertEqual(self.run_in("vpn", "test -c /dev/net/tun && : <>/dev/net/tun").code, 0)

    def test_devices_change_with_the_next_start(self):
        self.daemon.make("web")
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/web", {"devices": ["kmsg"]}, WAIT).status, 200)
        self.assertNotEqual(self.run_in("web", "ls /dev/kmsg").code, 0)
        self.assertEqual(self.daemon.request("POST", "/v1/jails/web/restart", None, WAIT).status, 200)
        self.assertEqual(self.run_in("web", "ls /dev/kmsg").code, 0)
        made = jaildctl(self.daemon, "create", "cli", "--device", "kmsg", "--device", "full", "--stopped")
        self.assertIn("device_missing", made.err)  # every jail has that one
        made = jaildctl(self.daemon, "create", "cli", "--device", "kmsg", "--stopped")
        self.assertEqual(made.code, 0, made)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/cli").json()["spec"]["devices"], ["kmsg"])
