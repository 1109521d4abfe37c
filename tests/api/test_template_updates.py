"""New versions of a template by an updater, which here is a script of the test."""

import os
import subprocess
import unittest

from cli import jaildctl
from harness import TOKENS, ApiTest, Daemon, Settings, eventually, needs_root
from test_template_copies import TEMPLATES, WAIT, Copies


@needs_root
class Updates(Copies):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(start=False)
        cls.source = cls.daemon.directory / "tree"
        cls.updater = cls.daemon.directory / "updater"
        cls.daemon.config = [f'template_update = ["{cls.updater}", "-x"]', 'template_max_bytes = "1M"']
        cls.daemon.start()

    def setUp(self):
        super().setUp()
        (self.source / "var").mkdir()
        self.says("echo 192.0.2.2 newer >$JAILD_ROOT/etc/hosts; echo $1 $JAILD_FROM $JAILD_TO")
        made = self.post(directory=str(self.source), version="1.0", private=["/opt"], description="mine")
        self.assertEqual(made.status, 201, made.body)

    def says(self, script):
        self.updater.write_text("#!/bin/sh -e\n" + script + "\n")
        self.updater.chmod(0o700)

    def update(self, name="made:1.0", headers=None, **body):
        return self.daemon.request("POST", f"{TEMPLATES}/{name}/update", body, headers or WAIT)

    def ended(self, answer):
        self.assertEqual(answer.status, 202, answer.body)
        return eventually(lambda: (lambda one: one if one["state"] != "running" else None)(
            self.daemon.request("GET", answer.headers["Location"]).json()), "the end")

    def test_a_new_version_beside_the_old_one(self):
        old = self.tree()
        ended = self.ended(self.update("made", {"X": "y"}, version="1.1"))
        self.assertEqual((ended["kind"], ended["template"], ended["state"]),
                         ("template.update", "made:1.1", "succeeded"), ended)
        self.assertIn("said: -x made:1.0 made:1.1", ended["steps"])
        self.assertNotEqual(old, self.tree())
        self.assertEqual((old / "etc/hosts").read_text(), "192.0.2.1 mine\n")
        self.assertEqual((self.tree() / "etc/hosts").read_text(), "192.0.2.2 newer\n")
        self.assertEqual((self.tree() / "bin/sh").stat().st_mode & 0o7777, 0o4555)
        self.assertEqual(sorted(os.listdir(self.tree().parent)), ["root"])
        shown = self.daemon.request("GET", f"{TEMPLATES}/made").json()
        self.assertEqual((shown["version"], shown["source"], shown["private"], shown["description"], shown["entries"]),
                         ("1.1", "update of made:1.0", ["/opt"], "mine", 7))
        self.assertEqual(shown["bytes"], 2 + 16)

    def test_without_a_version_the_next_free_number(self):
        answer = self.update(description="other")
        self.assertEqual((answer.status, answer.json()["reference"], answer.json()["description"]),
                         (201, "made:1", "other"), answer.body)

    def test_nothing_to_update(self):
        self.says("echo new >$JAILD_ROOT/var/catalogue")
        self.refused(self.update(), 409, "template_up_to_date")
        self.assertEqual(len(self.left()), 1)
        self.assertEqual(self.daemon.request("GET", f"{TEMPLATES}/made").json()["version"], "1.0")

    def test_an_updater_that_fails_leaves_nothing(self):
        self.says("echo broken >$JAILD_ROOT/etc/hosts; echo no such host >&2; exit 4")
        refused = self.refused(self.update(), 422, "update_failed")
        self.assertIn("exit code 4: no such host", refused["detail"])
        self.says("echo cp: No space left on device >&2; exit 1")
        self.refused(self.update(), 507, "disk_full")
        self.says("head -c 2000000 /dev/zero >$JAILD_ROOT/big")
        self.refused(self.update(), 422, "template_too_large")
        self.updater.unlink()
        self.refused(self.update(), 422, "update_failed")
        self.assertEqual(len(self.left()), 1)

    def nothing_is_left(self):
        """But the version that it was to be made of: no tree, and then no row."""
        eventually(lambda: len(self.left()) == 1, "no tree left of it")
        eventually(lambda: len(self.daemon.request("GET", TEMPLATES).json()["items"]) == 2, "no row left of it")

    def held(self):
        """An update whose program waits; its answer and the program's pid."""
        self.says("mkdir $JAILD_WORK/x; echo $$ >$JAILD_ROOT/etc/pid; echo holding; sleep 600")
        answer = self.update(headers={"X": "y"})
        running = eventually(lambda: (lambda one: one if (one["progress"] or {}).get("item") == "holding" else None)(
            self.daemon.request("GET", answer.headers["Location"]).json()), "its word")
        self.assertEqual((running["state"], running["progress"]["phase"]), ("running", "updating"))
        return answer, int((self.tree() / "etc/pid").read_text())

    def test_one_that_is_ended(self):
        answer, pid = self.held()
        self.refused(self.update("made:1"), 409, "template_not_ready")
        self.assertEqual(self.daemon.request("DELETE", answer.headers["Location"]).status, 200)
        self.nothing_is_left()
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_a_daemon_that_is_killed_in_the_middle(self):
        answer, pid = self.held()
        self.daemon.process.kill()
        self.daemon.process.wait()
        os.killpg(pid, 9)  # nobody else does
        self.daemon.start()
        ended = self.daemon.request("GET", answer.headers["Location"]).json()
        self.assertEqual((ended["state"], ended["problem"]["code"]), ("failed", "import_interrupted"), ended)
        self.nothing_is_left()
        self.says("echo 3 >$JAILD_ROOT/etc/hosts")
        self.assertEqual(self.update().status, 201)

    def test_what_is_refused(self):
        self.refused(self.update("nosuch"), 404, "template_not_found")
        self.refused(self.update("host"), 409, "template_builtin")
        self.refused(self.update(version="1.0"), 409, "template_exists", "/version")
        self.refused(self.update(version="latest"), 422, "invalid_version", "/version")
        self.refused(self.update(to="1.1"), 422, "unknown_field", "/to")
        self.refused(self.update("a/b"), 404, "route_not_found")
        self.assertEqual(len(self.left()), 1)

    def test_the_same_key_again(self):
        key = {"Idempotency-Key": "one", **WAIT}
        first = self.update(headers=key)
        again = self.update(headers=key)
        self.assertEqual((first.status, again.status, again.headers["Idempotency-Replayed"]), (201, 201, "true"))
        self.assertEqual(first.json()["reference"], again.json()["reference"])
        self.refused(self.update(headers=key, version="9"), 409, "idempotency_key_reused")

    def test_jaildctl(self):
        made = jaildctl(self.daemon, "template", "update", "made", "--to", "1.1")
        self.assertEqual((made.code, made.out), (0, "made made:1.1: 7 entries, 0K\n"), made)
        self.says("true")
        none = jaildctl(self.daemon, "template", "update", "made")
        self.assertEqual((none.code, none.out), (0, "template made:1.1 is up to date: no new version\n"), none)
        self.says("echo that was nothing; exit 9")
        failed = jaildctl(self.daemon, "template", "update", "made")
        self.assertEqual(failed.code, 1, failed)
        self.assertIn("exit code 9: that was nothing (update_failed)", failed.err)


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class UpdateRoles(ApiTest):
    tcp = True

    def test_only_an_admin_may_and_only_with_an_updater(self):
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"}
        refused = self.daemon.request("POST", f"{TEMPLATES}/x/update", {}, headers, tcp=True)
        self.refused(refused, 403, "role_too_low")
        headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
        refused = self.daemon.request("POST", f"{TEMPLATES}/x/update", {}, headers, tcp=True)
        self.assertIn("template_update", self.refused(refused, 422, "updates_unavailable")["remedy"])

    def test_what_a_configuration_may_say(self):
        for value, why in (('"/bin/true"', "must be an array"), ("[]", "must be an array"), ('["true"]', "absolute path"),
                           ('["/bin/true", 1]', "must be a string"), (str(["/bin/true"] * 65), "more than 64")):
            with self.subTest(value):
                file = self.daemon.directory / "other.toml"
                file.write_text(f"template_update = {value}\n")
                told = subprocess.run([Settings.binary, "--check-config", "--config", str(file)], capture_output=True,
                                      text=True, check=False)
                self.assertEqual(told.returncode, 2, told)
                self.assertIn(why, told.stderr)
                self.assertIn("other.toml:1", told.stderr)
        file.write_text(f"template_update = {['/bin/true'] * 64}\n")
        told = subprocess.run([Settings.binary, "--check-config", "--config", str(file)], capture_output=True, check=False)
        self.assertEqual(told.returncode, 0, told)
