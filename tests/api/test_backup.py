"""jaildctl backup, jaild --restore: the database as one file, and back."""

import os
import sqlite3
import stat
import subprocess
import threading
import unittest

import cli
from harness import ApiTest, Daemon, Settings, TOKENS, bearer, needs_root

BACKUP = "/v1/host/backup"
SECRET = "s3cret-of-a-jail"


def rescue(daemon, *options, stdin=None):
    """jaild, offline, on a daemon's state directory."""
    command = daemon.command()
    return subprocess.run([*command, *options], capture_output=True, text=stdin is None, input=stdin, timeout=60,
                          check=False)


# On TCP a daemon of another network namespace cannot be reached from here.
@unittest.skipIf(Settings.kernel == "linux", "nothing of it knows a kernel")
class Access(ApiTest):
    tcp = True

    def test_it_is_for_admins(self):
        for role in ("viewer", "operator"):
            answer = self.daemon.request("GET", BACKUP, headers=bearer(TOKENS[role]), tcp=True)
            self.assertEqual(answer.status, 403, role)
        answer = self.daemon.request("GET", BACKUP, headers=bearer(TOKENS["admin"]), tcp=True, check=False)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/vnd.sqlite3"))
        self.assertTrue(answer.body.startswith(b"SQLite format 3\0"))


class Command(ApiTest):
    def test_a_file(self):
        self.daemon.make(self.name, running=False, exec={"env": {"TOKEN": {"value": SECRET, "secret": True}}})
        file = self.daemon.directory / "backup.db"
        ran = cli.jaildctl(self.daemon, "backup", str(file))
        self.assertEqual((ran.code, ran.out), (0, ""), ran)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        with sqlite3.connect(file) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            spec = database.execute("SELECT spec FROM jails WHERE name = ?", (self.name,)).fetchone()[0]
        database.close()
        self.assertIn(SECRET, spec)
        self.assertEqual([name for name in os.listdir(self.daemon.state) if "backup" in name], [])

    def test_standard_output(self):
        ran = cli.start(self.daemon, "backup", "-")
        out, _ = ran.communicate(timeout=60)
        self.assertEqual(ran.returncode, 0)
        self.assertTrue(out.startswith(b"SQLite format 3\0"))

    def test_a_file_that_cannot_be_written(self):
        ran = cli.jaildctl(self.daemon, "backup", "/nonexistent/file")
        self.assertEqual(ran.code, 1, ran)

    def test_while_jails_are_made(self):
        end = threading.Event()
        made = []

        def make():
            while not end.is_set():
                name = f"{self.name}{len(made)}"
                self.daemon.make(name, running=False)
                made.append(name)

        thread = threading.Thread(target=make)
        thread.start()
        try:
            for number in range(5):
                file = self.daemon.directory / f"backup{number}"
                ran = cli.jaildctl(self.daemon, "backup", str(file))
                self.assertEqual(ran.code, 0, ran)
                with sqlite3.connect(file) as database:
                    self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                database.close()
        finally:
            end.set()
            thread.join()
        self.assertGreater(len(made), 0)


class Restore(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)
        self.file = self.daemon.directory / "backup.db"

    def backup(self):
        ran = cli.jaildctl(self.daemon, "backup", str(self.file))
        self.assertEqual(ran.code, 0, ran)

    def refused(self, *options, code):
        ran = rescue(self.daemon, *options)
        self.assertEqual(ran.returncode, 1, ran)
        self.assertIn(code, ran.stderr)

    def test_a_daemon_runs(self):
        self.backup()
        self.refused("--restore", str(self.file), "--force", code="state_in_use")

    def test_the_command_line(self):
        self.daemon.stop()
        self.assertEqual(rescue(self.daemon, "--force").returncode, 2)
        self.refused("--restore", "/nonexistent", code="No such file")
        self.daemon.start()

    def test_what_was_there_is_kept(self):
        self.daemon.make("early", running=False)
        self.backup()
        self.daemon.make("late", running=False)
        self.daemon.stop()
        self.refused("--restore", str(self.file), code="database_exists")
        ran = rescue(self.daemon, "--restore", str(self.file), "--force")
        self.assertEqual(ran.returncode, 0, ran)
        kept = [name for name in os.listdir(self.daemon.state) if name.startswith("jaild.db.before-")]
        self.assertEqual(len(kept), 1)
        self.assertIn(kept[0], ran.stderr)
        self.assertEqual(stat.S_IMODE((self.daemon.state / "jaild.db").stat().st_mode), 0o600)
        self.daemon.start()
        self.assertEqual([jail["name"] for jail in self.daemon.request("GET", "/v1/jails").json()["items"]], ["early"])
        # The secret's jail, its operations and events are there; new ids are new.
        with sqlite3.connect(self.daemon.state / kept[0]) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM jails").fetchone(), (2,))
        database.close()

    def test_from_standard_input(self):
        self.daemon.make("web", running=False)
        self.backup()
        self.daemon.stop()
        ran = rescue(self.daemon, "--restore", "-", "--force", stdin=self.file.read_bytes())
        self.assertEqual(ran.returncode, 0, ran)
        self.daemon.start()
        self.assertEqual(self.daemon.request("GET", "/v1/jails/web").status, 200)

    def test_another_state_directory(self):
        self.backup()
        other = Daemon(start=False)
        self.addCleanup(other.remove)
        ran = rescue(other, "--restore", str(self.file))
        self.assertEqual(ran.returncode, 1, ran)
        self.assertIn("state_of_other_host", ran.stderr)
        self.assertIn("--claim", ran.stderr)
        ran = rescue(other, "--restore", str(self.file), "--claim")
        self.assertEqual(ran.returncode, 0, ran)
        other.start()
        self.assertNotEqual(other.request("GET", "/v1/host").json()["instance"],
                            self.daemon.request("GET", "/v1/host").json()["instance"])


@needs_root
class OfJailsThatRun(unittest.TestCase):
    def setUp(self):
        if Settings.kernel != "linux":
            self.skipTest("the memory kernel forgets with its daemon")
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)

    def pid_of(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()["status"]["pid"]

    def test_they_are_adopted_and_what_the_backup_does_not_know_lives_on(self):
        self.daemon.make("known", command=["sleep", "100000"])
        file = self.daemon.directory / "backup.db"
        self.assertEqual(cli.jaildctl(self.daemon, "backup", str(file)).code, 0)
        unknown = self.daemon.make("unknown", command=["sleep", "100000"])["status"]["pid"]
        known = self.pid_of("known")
        self.daemon.stop()
        ran = rescue(self.daemon, "--restore", str(file), "--force")
        self.assertEqual(ran.returncode, 0, ran)
        self.daemon.start()
        self.assertEqual(self.pid_of("known"), known)
        os.kill(known, 0)
        os.kill(unknown, 0)
        # The same name is free, and its jail is another one.
        again = self.daemon.make("unknown", command=["sleep", "100000"])
        self.assertNotEqual(again["status"]["pid"], unknown)
        os.kill(unknown, 0)
        items = self.daemon.request("GET", "/v1/host/residue").json()["items"]
        self.assertEqual({item["owner"] for item in items}, {"jail 2"})
        ran = cli.jaildctl(self.daemon, "doctor", "--residue", timeout=120)
        self.assertEqual(ran.code, 0, ran)
        with self.assertRaises(ProcessLookupError):
            os.kill(unknown, 0)
        os.kill(again["status"]["pid"], 0)

    def test_a_lost_database_does_not_make_jails_residue(self):
        pid = self.daemon.make("web", command=["sleep", "100000"])["status"]["pid"]
        file = self.daemon.directory / "backup.db"
        self.assertEqual(cli.jaildctl(self.daemon, "backup", str(file)).code, 0)
        self.daemon.kill()
        for name in os.listdir(self.daemon.state):
            if name.startswith("jaild.db") and not name.endswith(".lock"):
                (self.daemon.state / name).unlink()
        ran = rescue(self.daemon)
        self.assertEqual(ran.returncode, 1, ran)
        self.assertIn("database_missing", ran.stderr)
        self.assertIn("--restore", ran.stderr)
        self.assertFalse((self.daemon.state / "jaild.db").exists())
        os.kill(pid, 0)
        ran = rescue(self.daemon, "--restore", str(file))
        self.assertEqual(ran.returncode, 0, ran)
        self.daemon.start()
        self.assertEqual(self.pid_of("web"), pid)
