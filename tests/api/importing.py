"""What tests of imports on a bad day have in common."""

import os
import signal

import archives
from archives import base
from harness import DEADLINE, ApiTest, Daemon, children_named, eventually

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}


class Importing(ApiTest):
    settings = ()
    memory = None

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config=cls.settings, memory=cls.memory)
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

    def nothing_is_left(self):
        eventually(lambda: self.imported() == [] and self.left() == [], "nothing left")
        answer = self.post(archives.write(self.archives / "whole.txz", base()), WAIT)
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual(len(self.left()), 1)
        gone = self.daemon.request("DELETE", f"{TEMPLATES}/{answer.json()['reference']}", headers=WAIT)
        self.assertEqual((gone.status, self.left()), (204, []))
