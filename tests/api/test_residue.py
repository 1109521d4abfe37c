"""What bears an installation's mark and has no owner: listed, removed when asked for, and nothing of anybody else's."""

import os
import sqlite3
import subprocess
import unittest

import cli
from harness import ApiTest, Daemon, Settings, TOKENS, bearer, eventually, needs_root

RESIDUE = "/v1/host/residue"


# On TCP a daemon of another network namespace cannot be reached from here.
@unittest.skipIf(Settings.kernel == "linux", "nothing of it knows a kernel")
class Access(ApiTest):
    tcp = True

    def test_it_is_for_admins(self):
        for role in ("viewer", "operator"):
            for method in ("GET", "POST"):
                answer = self.daemon.request(method, RESIDUE, headers=bearer(TOKENS[role]), tcp=True)
                self.assertEqual(answer.status, 403, (role, method))
        answer = self.daemon.request("GET", RESIDUE, headers=bearer(TOKENS["admin"]), tcp=True)
        self.assertEqual(answer.json(), {"items": []})

    def test_nothing_is_left_of_jails_that_come_and_go(self):
        self.daemon.make(self.name)
        self.daemon.make(self.name + "2")
        self.daemon.delete(self.name + "2")
        self.assertEqual(self.daemon.request("GET", RESIDUE).json(), {"items": []})
        self.assertEqual(self.daemon.request("POST", RESIDUE).json(), {"items": []})
        self.assertEqual(self.daemon.request("GET", f"/v1/jails/{self.name}").json()["status"]["state"], "running")

    def test_the_command(self):
        for arguments in (["--residue", "--dry-run"], ["--residue"]):
            ran = cli.jaildctl(self.daemon, "doctor", *arguments)
            self.assertEqual((ran.code, ran.out), (0, "nothing is left behind\n"), ran)
        ran = cli.jaildctl(self.daemon, "doctor", "--dry-run")
        self.assertEqual(ran.code, 2, ran)


def ip(*arguments):
    return subprocess.run(["ip", "-n", Settings.namespace, *arguments], check=True, capture_output=True, text=True).stdout


@needs_root
class Planted(unittest.TestCase):
    """A database that lost rows, on a real kernel, beside objects that are somebody else's."""

    def setUp(self):
        if Settings.kernel != "linux":
            self.skipTest("the memory kernel forgets with its daemon")
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)
        self.addCleanup(self.found, "POST")
        self.instance = self.daemon.request("GET", "/v1/host").json()["instance"]

    def forget(self, name):
        """The daemon is stopped, and the row goes by somebody's hand."""
        self.daemon.stop()
        with sqlite3.connect(self.daemon.state / "jaild.db") as database:
            database.execute("PRAGMA foreign_keys = ON")
            gone = database.execute("DELETE FROM jails WHERE name = ?", (name,)).rowcount
        database.close()
        self.assertEqual(gone, 1)

    def found(self, method="GET"):
        answer = self.daemon.request(method, RESIDUE, timeout=120)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["items"]

    def events(self, kind):
        items = self.daemon.request("GET", "/v1/events?follow=false&limit=1000").json()["items"]
        return [item["data"] for item in items if item["type"] == kind]

    def test_a_jail_that_runs_and_has_no_row(self):
        self.daemon.make("stays")
        lost = self.daemon.make("lost", command=["sleep", "100000"])
        pid = lost["status"]["pid"]
        directory = self.daemon.state / "jails" / "2"
        (directory / "root" / "root" / "data").write_text("precious")
        self.forget("lost")
        self.daemon.start()

        items = self.found()
        self.assertEqual({item["owner"] for item in items}, {"jail 2"})
        kinds = {item["kind"] for item in items}
        self.assertLessEqual({"jail", "process", "interface", "mount", "directory"}, kinds)
        self.assertTrue(all(item["kept"] for item in items), items)
        ran = cli.jaildctl(self.daemon, "doctor", "--residue", "--dry-run")
        self.assertEqual(ran.code, 0, ran)
        self.assertIn(f"jaild-{self.instance}-2", ran.out)
        self.assertIn("stays until it is asked for", ran.out)
        os.kill(pid, 0)  # it lives
        self.assertEqual((directory / "root" / "root" / "data").read_text(), "precious")
        self.assertTrue(any(data["id"] == 2 for data in self.events("residue.found")))

        ran = cli.jaildctl(self.daemon, "doctor", "--residue", timeout=120)
        self.assertEqual(ran.code, 0, ran)
        self.assertIn("removed", ran.out)
        self.assertFalse(directory.exists())
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)
        self.assertEqual(self.found(), [])
        removed = self.events("residue.removed")
        self.assertEqual(removed[-1]["count"], len(items))
        self.assertEqual(self.daemon.request("GET", "/v1/jails/stays").json()["status"]["state"], "running")

    def test_what_is_dead_goes_by_itself_and_data_stays(self):
        self.daemon.make("lost", running=False)
        directory = self.daemon.state / "jails" / "1"
        self.forget("lost")
        (directory / "root").mkdir(parents=True, exist_ok=True)
        (directory / "root" / "data").write_text("precious")
        tree = self.daemon.state / "templates" / "77" / "root"
        tree.mkdir(parents=True, mode=0o700)
        bridge = f"j{self.instance}2ln"
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "alias", f"jaild:{self.instance}:network:{int('2l', 36)}")
        self.daemon.start()
        self.assertNotIn(bridge, ip("link", "show"))
        self.assertEqual([(item["kind"], item["object"], item["kept"]) for item in self.found()],
                         [("directory", "jails/1", True), ("template", "templates/77", True)])
        self.assertTrue(tree.exists())

        outcomes = {item["object"]: item["removed"] for item in self.found("POST")}
        self.assertEqual(outcomes, {"jails/1": True, "templates/77": True})
        self.assertFalse(directory.exists())
        self.assertFalse(tree.exists())

    def test_what_is_somebody_elses_is_neither_listed_nor_touched(self):
        other = "zzzz9" if self.instance != "zzzz9" else "zzzz8"
        bridges = {
            f"j{other}1n": f"jaild:{other}:network:1",  # another installation's
            f"j{self.instance}7n": "",  # named like ours, without the mark
            f"j{self.instance}8n": f"jaild:{self.instance}:network:9",  # the mark of another one
            f"j{self.instance}9": f"jaild:{self.instance}:network:9",  # no name of ours
        }
        for name, alias in bridges.items():
            ip("link", "add", name, "type", "bridge")
            self.addCleanup(ip, "link", "del", name)
            if alias:
                ip("link", "set", name, "alias", alias)
        spaces = [f"jaild-{other}-7", f"jaild-{self.instance}x-7", f"jaild-{self.instance}-", f"jaild-{self.instance}-7x"]
        for space in spaces:
            subprocess.run(["ip", "netns", "add", space], check=True)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", space], check=True)
        strange = [self.daemon.state / "jails" / name for name in ("mine", "7x", "-7")]
        for directory in strange:
            directory.mkdir(parents=True)
            (directory / "data").write_text("precious")

        before = ip("-d", "link", "show", "type", "bridge")
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found("POST"), [])
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.found("POST"), [])
        after = ip("-d", "link", "show", "type", "bridge")
        for name in bridges:
            self.assertIn(f" {name}:", before)
            self.assertIn(f" {name}:", after)
        there = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout.split()
        for space in spaces:
            self.assertIn(space, there)
        for directory in strange:
            self.assertEqual((directory / "data").read_text(), "precious")

    def test_nothing_is_deleted_beneath_a_mount(self):
        self.daemon.make("lost", running=False)
        directory = self.daemon.state / "jails" / "1"
        self.forget("lost")
        hosts = self.daemon.directory / "hosts"
        hosts.mkdir()
        (hosts / "data").write_text("precious")
        place = directory / "root" / "mnt"
        place.mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(hosts), str(place)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(place)], stderr=subprocess.DEVNULL)
        self.daemon.start()
        self.assertEqual([item["removed"] for item in self.found("POST")], [True])
        self.assertFalse(directory.exists())
        self.assertEqual((hosts / "data").read_text(), "precious")

    def test_what_cannot_be_removed_says_why(self):
        bridge = f"j{self.instance}2ln"
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "alias", f"jaild:{self.instance}:network:{int('2l', 36)}")
        ip("link", "add", "theirs0", "type", "veth", "peer", "name", "theirs1")
        self.addCleanup(ip, "link", "del", "theirs0")
        ip("link", "set", "theirs0", "master", bridge)
        items = self.found("POST")
        self.assertEqual([(item["object"], item["removed"]) for item in items], [(bridge, False)])
        self.assertTrue(items[0]["problem"])
        ran = cli.jaildctl(self.daemon, "doctor", "--residue")
        self.assertEqual(ran.code, 1, ran)
        self.assertIn("LEFT: ", ran.out)
        self.assertIn(bridge, ip("link", "show", "master", bridge))

        ip("link", "set", "theirs0", "nomaster")
        eventually(lambda: bridge not in ip("link", "show"), "a sweep takes it away")
