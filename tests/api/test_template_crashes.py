"""Templates on a bad day: archives that are bombs, a daemon that is killed, a disk that is full, imports that are ended."""

import os
import pathlib
import signal
import subprocess

import archives
from archives import base, entry
from harness import DEADLINE, ApiTest, Daemon, children_named, eventually, needs_root

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}


class OnABadDay(ApiTest):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config=cls.settings)
        cls.archives = cls.daemon.directory / "archives"
        cls.archives.mkdir()

    def left(self):
        there = self.daemon.state / "templates"
        return sorted(os.listdir(there)) if there.exists() else []

    def imported(self):
        return [one for one in self.daemon.request("GET", TEMPLATES).json()["items"] if not one["builtin"]]

    def post(self, path, headers=None, **fields):
        return self.daemon.request("POST", TEMPLATES, {"name": "base", "sets": [{"file": str(path)}], **fields}, headers)

    def operation(self, answer):
        return self.daemon.request("GET", answer.headers["Location"]).json()

    def ended(self, answer, deadline=DEADLINE):
        return eventually(lambda: (lambda one: one if one["state"] != "running" else None)(self.operation(answer)),
                          "the end of the operation", deadline)

    def held(self):
        """An import that stands still in the middle: the answer, and the pid of its program."""
        answer = self.post(archives.write_zeros(self.archives / "zeros.tbz", 8))
        self.assertEqual(answer.status, 202, answer.body)
        eventually(lambda: list((self.daemon.state / "templates").glob("*/root/zeros")), "the first entry")
        (program,) = children_named(self.daemon.process.pid, "jaild-archive")
        os.kill(program, signal.SIGSTOP)
        return answer, program

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()

    def nothing_is_left(self):
        eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
        answer = self.post(archives.write(self.archives / "whole.txz", base()), WAIT)
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual(len(self.left()), 1)
        gone = self.daemon.request("DELETE", f"{TEMPLATES}/{answer.json()['reference']}", headers=WAIT)
        self.assertEqual((gone.status, self.left()), (204, []))


@needs_root
class Bounds(OnABadDay):
    settings = ('template_max_bytes = "1G"', "template_max_entries = 20")

    def test_ten_gigabytes_of_zeros_in_a_few_kilobytes(self):
        path = archives.write_zeros(self.archives / "bomb.tbz", 10)
        self.assertLess(path.stat().st_size, 32 * 1024)
        self.refused(self.post(path, WAIT), 422, "archive_too_large")
        self.nothing_is_left()

    def test_too_many_entries_and_just_as_many_as_may_be(self):
        names = [entry(f"./{number}", data=b"x") for number in range(21)]
        self.refused(self.post(archives.write(self.archives / "many.txz", names), WAIT), 422, "too_many_entries")
        self.nothing_is_left()
        made = self.post(archives.write(self.archives / "just.txz", names[:20]), WAIT)
        self.assertEqual((made.status, made.json()["entries"]), (201, 20), made.body)
        self.daemon.request("DELETE", f"{TEMPLATES}/{made.json()['reference']}", headers=WAIT)

    def test_all_archives_of_an_import_count_together(self):
        names = [entry(f"./{number}", data=b"x") for number in range(11)]
        path = str(archives.write(self.archives / "half.txz", names))
        answer = self.daemon.request("POST", TEMPLATES, {"name": "base", "sets": [{"file": path}, {"file": path}]}, WAIT)
        self.refused(answer, 422, "too_many_entries")
        self.nothing_is_left()


@needs_root
class Ended(OnABadDay):
    def test_an_import_that_is_cancelled_leaves_nothing(self):
        answer, program = self.held()
        self.assertEqual(self.operation(answer)["state"], "running")
        reference = answer.json()["reference"]
        self.refused(self.daemon.request("DELETE", f"{TEMPLATES}/{reference}"), 409, "template_importing")
        cancelled = self.daemon.request("DELETE", answer.headers["Location"])
        self.assertEqual((cancelled.status, cancelled.json()["state"]), (200, "cancelled"))
        eventually(lambda: not pathlib.Path(f"/proc/{program}").exists(), "the end of jaild-archive")
        self.nothing_is_left()
        self.assertEqual(self.operation(answer)["state"], "cancelled")

    def test_progress_is_shown(self):
        answer, program = self.held()
        os.kill(program, signal.SIGCONT)
        seen = eventually(lambda: (lambda one: one if one and one["bytes"] > 0 else None)(
            self.operation(answer)["progress"]), "progress")
        self.assertEqual((seen["phase"], seen["item"]), ("unpacking", "zeros.tbz"))
        self.assertLessEqual(seen["done"], seen["total"])
        self.daemon.request("DELETE", answer.headers["Location"])
        self.nothing_is_left()

    def test_a_program_that_is_killed_fails_the_import(self):
        answer, program = self.held()
        os.kill(program, signal.SIGKILL)
        problem = self.ended(answer)["problem"]
        self.assertEqual(problem["code"], "helper_failed", problem)
        self.nothing_is_left()

    def test_a_daemon_that_ends_in_the_middle(self):
        answer, program = self.held()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertFalse(pathlib.Path(f"/proc/{program}").exists())
        self.daemon.start()
        self.assertEqual(self.ended(answer)["problem"]["code"], "import_interrupted")
        self.nothing_is_left()

    def test_a_daemon_that_is_killed_in_the_middle(self):
        answer, program = self.held()
        self.kill()
        eventually(lambda: not pathlib.Path(f"/proc/{program}").exists(), "jaild-archive goes with jaild")
        self.assertEqual(len(self.left()), 1)
        self.daemon.start()
        ended = self.ended(answer)
        self.assertEqual((ended["state"], ended["problem"]["code"]), ("failed", "import_interrupted"))
        self.nothing_is_left()

    def test_a_daemon_that_is_killed_at_any_moment_of_import_and_removal(self):
        names = [entry(f"./{number}", data=os.urandom(2000)) for number in range(1500)]
        path = archives.write(self.archives / "any.tar", names, "")
        outcomes = set()
        for round_ in range(16):
            answer = self.post(path, version=str(round_))
            self.assertEqual(answer.status, 202, answer.body)
            for _ in range(round_ * 3):  # so many requests later
                self.operation(answer)
            self.kill()
            self.daemon.start()
            ended = self.ended(answer)
            outcomes.add(ended["state"])
            if ended["state"] == "failed":
                self.assertEqual(ended["problem"]["code"], "import_interrupted")
                eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
                continue
            only = self.imported()[0]
            self.assertEqual((only["state"], only["entries"]), ("ready", 1500))
            root = self.daemon.state / "templates" / self.left()[0] / "root"
            self.assertEqual(sum(len((root / str(number)).read_bytes()) for number in range(1500)), 1500 * 2000)
            gone = self.daemon.request("DELETE", f"{TEMPLATES}/{only['reference']}")
            self.assertEqual(gone.status, 202)
            self.kill()
            self.daemon.start()
            self.assertEqual(self.ended(gone)["state"], "succeeded")
            eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
        self.assertIn("failed", outcomes)
        self.nothing_is_left()


    def test_a_daemon_that_is_killed_at_any_moment_of_a_copy(self):
        tree = self.daemon.directory / "tree"
        (tree / "deep").mkdir(parents=True)
        for number in range(1500):
            (tree / "deep" / str(number)).write_bytes(bytes([number % 251]) * 2000)
        outcomes = set()
        for round_ in range(10):
            body = {"name": "copied", "version": str(round_), "directory": str(tree)}
            answer = self.daemon.request("POST", TEMPLATES, body)
            self.assertEqual(answer.status, 202, answer.body)
            for _ in range(round_ * 4):  # so many requests later
                self.operation(answer)
            self.kill()
            self.daemon.start()
            ended = self.ended(answer)
            outcomes.add(ended["state"])
            if ended["state"] == "failed":
                self.assertEqual(ended["problem"]["code"], "import_interrupted")
                eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
                continue
            only = self.imported()[0]
            self.assertEqual((only["state"], only["entries"], only["bytes"]), ("ready", 1502, 1500 * 2000))
            gone = self.daemon.request("DELETE", f"{TEMPLATES}/{only['reference']}", headers=WAIT)
            self.assertEqual((gone.status, self.left()), (204, []))
        self.assertIn("failed", outcomes)
        self.nothing_is_left()


@needs_root
class FullDisk(OnABadDay):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(start=False)
        try:
            cls.daemon.state.mkdir(mode=0o700)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(cls.daemon.state)], check=True)
            cls.daemon.start()
            cls.archives = cls.daemon.directory / "archives"
            cls.archives.mkdir()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        if cls.daemon.process:
            cls.daemon.stop()
        subprocess.run(["umount", str(cls.daemon.state)], check=False)
        cls.daemon.remove()

    def test_an_import_that_does_not_fit(self):
        free = os.statvfs(self.daemon.state)
        path = archives.write(self.archives / "big.tar", base([entry("./big", data=bytes(96 << 20))]), "gz")
        problem = self.refused(self.post(path, WAIT), 507, "disk_full")
        self.assertIn(str(self.daemon.state), problem["remedy"])
        self.assertIn("--unused", problem["remedy"])
        self.nothing_is_left()
        now = os.statvfs(self.daemon.state)
        self.assertGreater(now.f_bavail * now.f_frsize, free.f_bavail * free.f_frsize - (8 << 20))

    def test_an_upload_that_does_not_fit(self):
        free = os.statvfs(self.daemon.state)
        answer = self.daemon.request("POST", f"{TEMPLATES}/big:1/archive", os.urandom(64 << 20), WAIT)
        problem = self.refused(answer, 507, "disk_full")
        self.assertIn(str(self.daemon.state), problem["remedy"])
        self.nothing_is_left()
        now = os.statvfs(self.daemon.state)
        self.assertGreater(now.f_bavail * now.f_frsize, free.f_bavail * free.f_frsize - (8 << 20))

    def test_reads_go_on_while_the_disk_is_full(self):
        answer, program = self.held()
        filler = self.daemon.state / "filler"
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            except OSError:
                pass
        self.assertEqual(self.daemon.request("GET", TEMPLATES).status, 200)
        self.assertEqual(self.operation(answer)["state"], "running")
        os.kill(program, signal.SIGCONT)
        eventually(lambda: not pathlib.Path(f"/proc/{program}").exists(), "the end of jaild-archive")
        self.assertEqual(self.daemon.request("GET", TEMPLATES).status, 200)
        filler.unlink()  # until then not even the end of the operation may fit
        ended = self.ended(answer, 3 * DEADLINE)  # jaild tries every 30 s
        self.assertEqual((ended["state"], ended["problem"]["code"]), ("failed", "disk_full"))
        self.nothing_is_left()
