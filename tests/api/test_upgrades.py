"""Upgrades: another version of a jail's template, with what the jail changed in its /etc; and back."""

import time

from archives import base, entry, programs, write
from cli import jaildctl
from explained import still_unexplained
from harness import eventually, needs_root
from test_snapshots import SnapshotTest

WAIT = {"Prefer": "wait=60"}
MOTD = b"welcome\nto this\nmachine\nand its\nservices\n"


def version(number, motd=MOTD, extra=()):
    """A base tree with a service of that version, its configuration and a message of the day."""
    return base([entry("usr/bin/service", data=b"#!/bin/sh\necho service %d\n" % number),
                 entry("etc/service.conf", data=b"listen 80\nworkers %d\nlog on\nuser www\n" % number, mode=0o644),
                 entry("etc/motd", data=motd, mode=0o644),
                 entry(f"etc/only-{number}.conf", data=b"of this version\n", mode=0o644), *programs("dash", "sleep"), *extra])


class UpgradeTest(SnapshotTest):
    def setUp(self):
        super().setUp()
        if not self.on_linux():
            self.skipTest("the memory kernel's roots have no files")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        trees = {"1": version(1), "2": version(2, MOTD.replace(b"welcome", b"Welcome")),
                 "3": version(3, extra=[entry("usr/bin/broken", data=b"#!/bin/sh\nexit 0\n")])}
        try:
            for number, entries in trees.items():
                path = write(cls.daemon.directory / f"{number}.tar", entries, "")
                answer = cls.daemon.request("POST", "/v1/templates", {"name": "site", "version": number,
                                                                      "sets": [{"file": str(path)}]}, WAIT)
                assert answer.status == 201, answer.body
        except BaseException:
            cls.tearDownClass()
            raise

    def upgrade(self, jail, to, headers=WAIT, query=""):
        return self.daemon.request("POST", f"/v1/jails/{jail}/upgrade{query}", {"template": to}, headers)

    def jail(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()

    def edit(self, jail):
        """What its admin did: one edit that merges, one that does not, a file of their own, one removed."""
        etc = self.root(jail) / "etc"
        conf = (etc / "service.conf").read_text()
        (etc / "service.conf").write_text(conf.replace("user www", "user web"))
        (etc / "motd").write_text(MOTD.decode().replace("welcome", "hands off"))
        (etc / "own.conf").write_text("mine\n")
        return etc


@needs_root
class Upgrades(UpgradeTest):
    def test_edits_stay_and_the_new_version_comes(self):
        for kind in ("thin", "copy"):
            with self.subTest(kind):
                name = f"u-{kind}"
                self.daemon.make(name, template="site:1", root={"kind": kind}, network={"mode": "none"})
                etc = self.edit(name)
                before = {path.name: path.read_bytes() for path in etc.iterdir() if path.is_file()}
                answer = self.upgrade(name, "site:2")
                self.assertEqual(answer.status, 200, answer.body)
                jail = answer.json()
                self.assertEqual((jail["spec"]["template"], jail["status"]["state"]), ("site:2", "running"))
                self.assertEqual((etc / "service.conf").read_text(), "listen 80\nworkers 2\nlog on\nuser web\n")
                self.assertEqual((etc / "motd").read_text(), MOTD.decode().replace("welcome", "hands off"))
                self.assertEqual((etc / "motd.new").read_text(), MOTD.decode().replace("welcome", "Welcome"))
                self.assertEqual((etc / "own.conf").read_text(), "mine\n")
                self.assertTrue((etc / "only-2.conf").exists())
                self.assertFalse((etc / "only-1.conf").exists())
                ran = self.daemon.request("POST", f"/v1/jails/{name}/exec",
                                          {"argv": ["/usr/bin/dash", "/usr/bin/service"]})
                self.assertEqual(ran.json()["stdout"], "service 2\n", ran.body)
                if kind == "copy":
                    self.assertIn("service 2", (self.root(name) / "usr/bin/service").read_text())
                self.assertFalse((self.root(name) / ".jaild-upgrade").exists())

                back = self.daemon.request("POST", f"/v1/jails/{name}/rollback", headers=WAIT)
                self.assertEqual(back.status, 200, back.body)
                self.assertEqual(self.jail(name)["spec"]["template"], "site:1")
                generated = {"hosts", "hostname", "resolv.conf"}
                after = {path.name: path.read_bytes() for path in etc.iterdir() if path.is_file()}
                self.assertEqual({k: v for k, v in after.items() if k not in generated},
                                 {k: v for k, v in before.items() if k not in generated})

    def test_the_operation_lists_what_both_changed(self):
        self.daemon.make("u-steps", template="site:1", network={"mode": "none"})
        self.edit("u-steps")
        answer = self.upgrade("u-steps", "site:2", {})
        self.assertEqual(answer.status, 202, answer.body)
        operation = eventually(
            lambda: (lambda now: now if now["state"] != "running" else None)(
                self.daemon.request("GET", answer.headers["location"]).json()), "the end of the upgrade")
        self.assertEqual((operation["kind"], operation["state"]), ("upgrade", "succeeded"), operation)
        self.assertIn("conflict: /etc/motd (text); the template's is /etc/motd.new", operation["steps"])

    def test_a_dry_run_changes_nothing(self):
        self.daemon.make("u-dry", template="site:1", network={"mode": "none"})
        etc = self.edit("u-dry")
        before = sorted((path.name, path.lstat().st_mtime_ns) for path in etc.iterdir())
        pid = self.jail("u-dry")["status"]["pid"]
        answer = self.upgrade("u-dry", "site:2", {}, "?dry_run=true")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(any(line.startswith("conflict: /etc/motd") for line in answer.json()["plan"]), answer.body)
        self.assertEqual(sorted((path.name, path.lstat().st_mtime_ns) for path in etc.iterdir()), before)
        self.assertEqual((self.jail("u-dry")["status"]["pid"], self.jail("u-dry")["spec"]["template"]), (pid, "site:1"))

    def test_a_version_that_it_has_is_nothing_to_do(self):
        self.daemon.make("u-same", template="site:1", network={"mode": "none"})
        pid = self.jail("u-same")["status"]["pid"]
        self.assertEqual(self.upgrade("u-same", "site:1").status, 200)
        self.assertEqual(self.jail("u-same")["status"]["pid"], pid)
        self.assertEqual(self.names("u-same"), [])

    def test_a_stopped_jail_stays_stopped(self):
        self.daemon.make("u-still", template="site:1", network={"mode": "none"})
        self.daemon.request("PATCH", "/v1/jails/u-still", {"running": False}, WAIT)
        answer = self.upgrade("u-still", "site:2")
        self.assertEqual((answer.status, answer.json()["status"]["state"]), (200, "stopped"), answer.body)
        self.assertTrue((self.root("u-still") / "etc/only-2.conf").exists())

    def test_what_does_not_come_up_is_taken_back(self):
        self.daemon.make("u-fail", template="site:1", network={"mode": "none"},
                         exec={"start": ["/usr/bin/dash", "-c", "test -e /etc/only-1.conf"]})
        etc = self.edit("u-fail")
        answer = self.upgrade("u-fail", "site:2")
        self.refused(answer, 409, "upgrade_taken_back")
        jail = eventually(lambda: (lambda now: now if now["status"]["state"] == "running" else None)(self.jail("u-fail")),
                          "the jail to run again")
        self.assertEqual(jail["spec"]["template"], "site:1")
        self.assertTrue((etc / "only-1.conf").exists())
        self.assertFalse((etc / "motd.new").exists())

    def test_a_command_that_fails_at_once_takes_it_back(self):
        self.daemon.make("u-cmd", template="site:1", network={"mode": "none"},
                         command=["/usr/bin/dash", "-c", "test -e /etc/only-1.conf || exit 3; exec /usr/bin/sleep 1000"])
        answer = self.upgrade("u-cmd", "site:2")
        problem = self.refused(answer, 409, "upgrade_taken_back")
        self.assertIn("exit code 3", problem["detail"])
        eventually(lambda: self.jail("u-cmd")["status"]["state"] == "running", "the jail to run again")
        self.assertEqual(self.jail("u-cmd")["spec"]["template"], "site:1")

    def test_bad_input(self):
        self.daemon.make("u-bad", template="site:1", network={"mode": "none"})
        self.daemon.make("u-host", network={"mode": "none"})
        self.refused(self.upgrade("u-bad", "site:9"), 422, "template_unknown", "/template")
        self.refused(self.upgrade("u-bad", "other:1"), 422, "another_template", "/template")
        self.refused(self.upgrade("u-host", "site:2"), 409, "no_template_version")
        self.refused(self.upgrade("nobody", "site:2"), 404, "jail_not_found")
        for body, code, field in (({}, "missing_field", "/template"), ({"template": 7}, "wrong_type", "/template"),
                                  ({"to": "2"}, "unknown_field", "/to")):
            answer = self.daemon.request("POST", "/v1/jails/u-bad/upgrade", body, check=False)
            self.refused(answer, 422, code, field)
        self.refused(self.daemon.request("POST", "/v1/jails/u-bad/rollback"), 409, "no_upgrade")
        self.refused(self.upgrade("u-bad", "site:2", {"If-Match": '"1.99"'}), 412, "etag_mismatch")

    def test_the_command_line(self):
        for number in (1, 2, 3):
            self.daemon.make(f"u-cli{number}", template="site:1", network={"mode": "none"}, labels={"tier": "front"})
        self.edit("u-cli1")
        tried = jaildctl(self.daemon, "upgrade", "u-cli1", "--to", "2", "--dry-run")
        self.assertEqual(tried.code, 0, tried)
        self.assertIn("u-cli1: conflict: /etc/motd", tried.out)
        done = jaildctl(self.daemon, "upgrade", "--selector", "label=tier=front", "--to", "2", "--max-unavailable", "2",
                        timeout=120)
        self.assertEqual(done.code, 0, done)
        for number in (1, 2, 3):
            self.assertIn(f"upgraded u-cli{number} to site:2", done.out)
        self.assertIn("conflict: /etc/motd (text)", done.out)
        again = jaildctl(self.daemon, "upgrade", "u-cli1", "--to", "site:2")
        self.assertIn("has site:2 already", again.out)
        back = jaildctl(self.daemon, "rollback", "u-cli1")
        self.assertIn("rolled back u-cli1", back.out)
        self.assertEqual(self.jail("u-cli1")["spec"]["template"], "site:1")
        self.assertEqual(jaildctl(self.daemon, "upgrade", "--to", "2").code, 2)
        self.assertEqual(jaildctl(self.daemon, "upgrade", "u-cli1", "--to", "9").code, 1)

    def test_a_template_of_a_snapshot_stays(self):
        self.daemon.make("u-keep", template="site:1", network={"mode": "none"}, running=True)
        self.upgrade("u-keep", "site:3")
        self.refused(self.daemon.request("DELETE", "/v1/templates/site:1", headers=WAIT), 409, "template_in_use")
        shown = self.daemon.request("GET", "/v1/templates/site:1").json()
        self.assertNotIn("u-keep", shown["jails"])
        self.assertTrue([one for one in shown["snapshots"] if one.startswith("u-keep@upgrade-")], shown)
        unused = jaildctl(self.daemon, "template", "rm", "--unused", "--dry-run")
        self.assertEqual(unused.code, 0, unused)
        self.assertNotIn("site:1", unused.out)


@needs_root
class UpgradeCrashes(UpgradeTest):
    def test_a_daemon_that_is_killed_finishes_later(self):
        self.daemon.make("k-web", template="site:1", root={"kind": "copy"}, network={"mode": "none"})
        etc = self.edit("k-web")
        for attempt in range(8):
            to = "site:2" if attempt % 2 == 0 else "site:1"
            answer = self.upgrade("k-web", to, {})
            self.assertEqual(answer.status, 202, answer.body)
            time.sleep(0.015 * attempt * attempt)  # another moment each time
            self.daemon.kill()
            self.daemon.start()
            operation = eventually(
                lambda: (lambda now: now if now["state"] != "running" else None)(
                    self.daemon.request("GET", answer.headers["location"]).json()), "the end of the upgrade")
            self.assertEqual(operation["state"], "succeeded", operation)
            jail = self.jail("k-web")
            self.assertEqual((jail["spec"]["template"], jail["status"]["state"]), (to, "running"))
            workers = "2" if to == "site:2" else "1"
            self.assertEqual((etc / "service.conf").read_text(), f"listen 80\nworkers {workers}\nlog on\nuser web\n")
            self.assertIn(f"service {workers}", (self.root("k-web") / "usr/bin/service").read_text())
            self.assertFalse((self.root("k-web") / ".jaild-upgrade").exists())
            self.assertEqual(still_unexplained(self.daemon), [])
