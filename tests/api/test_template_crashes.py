"""Templates on a bad day: archives that are bombs, a daemon that is killed, imports that are ended."""

import os
import pathlib
import signal

import archives
from archives import entry
from explained import unexplained
from harness import eventually, needs_root
from importing import TEMPLATES, WAIT, Importing


@needs_root
class Bounds(Importing):
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
class Ended(Importing):
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
        self.daemon.kill()
        eventually(lambda: not pathlib.Path(f"/proc/{program}").exists(), "jaild-archive goes with jaild")
        self.assertEqual(len(self.left()), 1)
        self.daemon.start()
        ended = self.ended(answer)
        self.assertEqual((ended["state"], ended["problem"]["code"]), ("failed", "import_interrupted"))
        self.nothing_is_left()

    def killed_at_any_moment(self, rounds, post, check):
        """Each round asks for a template by post(round), kills the daemon some requests later, and starts it again:
        there is nothing of it, or all, which check() looks at and which goes."""
        outcomes = set()
        for round_ in range(rounds):
            answer = post(round_)
            self.assertEqual(answer.status, 202, answer.body)
            for _ in range(round_ * 3):
                self.operation(answer)
            self.daemon.kill()
            self.daemon.start()
            ended = self.ended(answer)
            outcomes.add(ended["state"])
            if ended["state"] == "failed":
                self.assertEqual(ended["problem"]["code"], "import_interrupted")
            else:
                only = self.imported()[0]
                self.assertEqual(only["state"], "ready")
                check(only)
                gone = self.daemon.request("DELETE", f"{TEMPLATES}/{only['reference']}")
                self.assertEqual(gone.status, 202)
                self.daemon.kill()
                self.daemon.start()
                self.assertEqual(self.ended(gone)["state"], "succeeded")
            eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
            self.assertEqual(unexplained(self.daemon), [])
        self.assertIn("failed", outcomes)
        self.nothing_is_left()

    def test_a_daemon_that_is_killed_at_any_moment_of_import_and_removal(self):
        names = [entry(f"./{number}", data=os.urandom(2000)) for number in range(1500)]
        path = archives.write(self.archives / "any.tar", names, "")

        def check(only):
            self.assertEqual(only["entries"], 1500)
            root = self.daemon.state / "templates" / self.left()[0] / "root"
            self.assertEqual(sum(len((root / str(number)).read_bytes()) for number in range(1500)), 1500 * 2000)
        self.killed_at_any_moment(16, lambda round_: self.post(path, version=str(round_)), check)

    def test_a_daemon_that_is_killed_at_any_moment_of_a_copy(self):
        tree = self.daemon.directory / "tree"
        (tree / "deep").mkdir(parents=True)
        for number in range(1500):
            (tree / "deep" / str(number)).write_bytes(bytes([number % 251]) * 2000)

        def post(round_):
            body = {"name": "copied", "version": str(round_), "directory": str(tree)}
            return self.daemon.request("POST", TEMPLATES, body)
        self.killed_at_any_moment(
            12, post, lambda only: self.assertEqual((only["entries"], only["bytes"]), (1502, 1500 * 2000)))
