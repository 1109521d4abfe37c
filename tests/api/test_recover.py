"""jaild --recover: a lost database made again from the records beside the jails."""

import os
import stat
import unittest

import cli
from harness import Daemon, Settings, eventually, needs_root
from test_backup import rescue

SECRET = "s3cret-of-a-jail"


class Lost(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)

    def lose(self):
        for name in os.listdir(self.daemon.state):
            if name.startswith("jaild.db") and not name.endswith(".lock"):
                (self.daemon.state / name).unlink()

    def recover(self, *options):
        ran = rescue(self.daemon, "--recover", *options)
        self.assertEqual(ran.returncode, 0, ran)
        self.assertNotIn(SECRET, ran.stderr)
        return ran

    def refused(self, *options, code):
        ran = rescue(self.daemon, *options)
        self.assertEqual(ran.returncode, 1, ran)
        self.assertIn(code, ran.stderr)

    def jail(self, name):
        answer = self.daemon.request("GET", f"/v1/jails/{name}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json(), answer.headers["ETag"]

    def record(self, name):
        return self.daemon.state / "records" / f"{name}.json"


class Anywhere(Lost):
    def test_all_that_was_asked_for_is_there_again(self):
        answer = self.daemon.request("POST", "/v1/networks", {"name": "lan", "ipv4": "10.99.0.0/24", "labels": {"a": "b"}})
        self.assertEqual(answer.status, 201, answer.body)
        self.daemon.make("web", running=False, labels={"tier": "front"}, network={"interfaces": [{"network": "lan"}]},
                         exec={"env": {"TOKEN": {"value": SECRET, "secret": True}}})
        self.daemon.make("db", running=False, depends_on=[])
        self.daemon.make("gone", running=False)
        self.daemon.delete("gone")
        before = {name: self.jail(name) for name in ("web", "db")}
        networks = self.daemon.request("GET", "/v1/networks").json()["items"]
        self.assertEqual(self.daemon.stop(), 0)
        self.assertIn(SECRET, self.record("jails/1").read_text())
        self.assertEqual(stat.S_IMODE(self.record("jails/1").stat().st_mode), 0o600)
        self.lose()
        ran = self.recover()
        self.assertIn("recovered: 2 jails, 2 networks", ran.stderr)
        self.assertNotIn("not recovered", ran.stderr)
        self.daemon.start()
        for name, (jail, etag) in before.items():
            after, now = self.jail(name)
            for field in ("spec", "labels", "generation", "created_at"):
                self.assertEqual(after.get(field), jail.get(field), field)
            self.assertEqual(now, etag)
        self.assertEqual(self.daemon.request("GET", "/v1/networks").json()["items"], networks)
        self.assertEqual(len(self.daemon.request("GET", "/v1/jails").json()["items"]), 2)
        self.daemon.make("next", running=False)

    def test_a_pool(self):
        def pool():
            return self.daemon.request("GET", "/v1/pools/ci").json()

        made = self.daemon.request("POST", "/v1/pools", {"name": "ci", "size": 1, "jail": {"network": {"mode": "none"}}})
        self.assertEqual(made.status, 201, made.body)
        eventually(lambda: pool()["status"]["ready"] == 1, "its jail is ready")
        before = pool()
        self.daemon.stop()
        self.lose()
        self.assertIn("1 pools", self.recover().stderr)
        self.daemon.start()
        eventually(lambda: pool()["status"]["ready"] == 1, "its jail is ready again")
        self.assertEqual(pool(), before)
        self.daemon.request("DELETE", "/v1/pools/ci")

    def test_refusals(self):
        self.refused("--recover", "--force", code="state_in_use")
        self.daemon.stop()
        self.refused("--recover", code="database_exists")
        self.assertEqual(rescue(self.daemon, "--recover", "--restore", "x").returncode, 2)
        other = Daemon(start=False)
        self.addCleanup(other.remove_directory)
        ran = rescue(other, "--recover")
        self.assertIn("no_records", ran.stderr)
        self.daemon.start()

    def test_a_damaged_database_is_kept(self):
        self.daemon.make("web", running=False)
        self.daemon.stop()
        database = self.daemon.state / "jaild.db"
        data = bytearray(database.read_bytes())
        for at in range(4096, len(data), 4096):
            data[at:at + 100] = b"\x5a" * 100
        database.write_bytes(data)
        self.refused(code="database_corrupt")
        self.recover("--force")
        self.daemon.start()
        self.jail("web")
        kept = [name for name in os.listdir(self.daemon.state) if name.startswith("jaild.db.before-")]
        self.assertEqual(len(kept), 1)
        self.assertEqual((self.daemon.state / kept[0]).read_bytes(), bytes(data))

    def test_what_is_damaged_is_said(self):
        self.daemon.make("web", running=False)
        self.daemon.make("db", running=False)
        self.daemon.stop()
        self.record("jails/1").write_text("torn")
        self.lose()
        ran = self.recover()
        self.assertIn("not recovered: jails/1", ran.stderr)
        self.daemon.start()
        self.assertEqual([one["name"] for one in self.daemon.request("GET", "/v1/jails").json()["items"]], ["db"])

    def test_killed_at_once_after_a_change(self):
        """What the record lacks of it the next daemon writes; the answer is never ahead of the database."""
        for number in range(10):
            self.daemon.make(f"jail{number}", running=False)
            self.daemon.kill()
            self.daemon.start()
        eventually(lambda: all(self.record(f"jails/{number + 1}").exists() for number in range(10)), "records")
        self.daemon.stop()
        self.lose()
        self.assertIn("recovered: 10 jails", self.recover().stderr)
        self.daemon.start()


@needs_root
class OfJailsThatRun(Lost):
    def setUp(self):
        if Settings.kernel != "linux":
            self.skipTest("the memory kernel forgets with its daemon")
        super().setUp()

    def test_none_is_stopped(self):
        pids = {name: self.daemon.make(name, command=["sleep", "100000"], **extra)["status"]["pid"]
                for name, extra in (("web", {}), ("db", {"limits": {"maxproc": {"amount": 50}}}))}
        (self.daemon.state / "jails" / "1" / "root" / "root" / "data").write_text("precious")
        eventually(self.record("jails/2").exists, "the record")
        self.daemon.kill()
        self.lose()
        ran = rescue(self.daemon)
        self.assertIn("database_missing", ran.stderr)
        self.assertIn("--recover", ran.stderr)
        self.recover()
        self.daemon.start()
        for name, pid in pids.items():
            self.assertEqual(self.jail(name)[0]["status"]["pid"], pid)
            self.assertEqual(self.jail(name)[0]["status"]["state"], "running")
            os.kill(pid, 0)
        self.assertEqual((self.daemon.state / "jails" / "1" / "root" / "root" / "data").read_text(), "precious")
        self.assertEqual(self.daemon.request("GET", "/v1/host/residue").json(), {"items": []})
        drifts = [one for one in self.daemon.request("GET", "/v1/events?follow=false&limit=1000").json()["items"]
                  if one["type"] in ("drift.repaired", "residue.found", "residue.removed")]
        self.assertEqual(drifts, [])
        other = self.daemon.make("new", command=["sleep", "100000"])
        self.assertNotIn(other["status"]["pid"], pids.values())

    def test_what_cannot_be_recovered_lives_on(self):
        pid = self.daemon.make("web", command=["sleep", "100000"])["status"]["pid"]
        self.daemon.make("db", running=False)
        self.daemon.stop()
        self.record("jails/1").unlink()
        self.lose()
        ran = self.recover()
        self.assertIn("not recovered: jails/1", ran.stderr)
        self.daemon.start()
        os.kill(pid, 0)
        ran = cli.jaildctl(self.daemon, "doctor", "--residue", timeout=120)
        self.assertEqual(ran.code, 0, ran)
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)
