"""Another jaild in the place of the one that runs, as an upgrade brings it: other files, SIGTERM, a start. A hundred
jails work on and are asked about all the while. No process of theirs changes, no line of a log is lost or there twice,
no exit code is lost, and no answer is wrong: there is one, or no connection, and that for less than a second."""

import collections
import http.client
import os
import pathlib
import shutil
import threading
import time
import unittest

from harness import ApiTest, Settings, ask, eventually, needs_root

JAILS = int(os.environ.get("JAILD_TEST_JAILS", "100"))
REPLACEMENTS = 3
GAP = 1.0  # seconds between two answers
GAP_OF_A_BUSY_MACHINE = 5.0  # on which that says little about jaild

COUNTS = '$| = 1; for ($i = 0; ; $i++) { print "$i\\n"; select(undef, undef, undef, 0.02) }'
WAITS = '$| = 1; print "begun\\n"; select(undef, undef, undef, 0.01) until unlink "/root/go"; print "over\\n"; exit %d'
IDLE = {"exec": {"start": ["/bin/sh", "-c", "sleep 100000 &"]}}


def perl(text):
    return {"command": ["/usr/bin/perl", "-e", text]}


def code_of(name):
    """Of the command of that jail, when it ends."""
    return 100 + int(name.rsplit("-", 1)[1])


def spec(number):
    kind = ("writes", "writes", "writes", "writes", "writes", "writes", "ends", "ends", "again", "idle")[number % 10]
    name = f"{kind}-{number}"
    parts = {"writes": perl(COUNTS), "ends": perl(WAITS % code_of(name)), "idle": IDLE,
             "again": {**perl(WAITS % code_of(name)), "restart": {"policy": "always", "reset_after": 1}}}[kind]
    # A packet filter, addresses and published ports are somebody's to keep, too; a hundred of them take their time.
    published = {"publish": [{"host_port": 20000 + number, "jail_port": 80}]}
    return {"name": name, **parts, **(published if number < 10 else {"network": {"mode": "none"}})}


class Asker(threading.Thread):
    """Asks the same again and again, each time as soon as it can. `check` returns what is wrong with an answer."""

    def __init__(self, daemon, question, check):
        super().__init__()
        self.daemon_under_test, self.question, self.check = daemon, question, check
        self.over = threading.Event()
        self.answers = collections.Counter()
        self.wrong = []
        self.answered, self.gap = time.monotonic(), 0.0

    def tell_gap(self):
        """The longest time without an answer since this was asked last."""
        gap, self.gap = max(self.gap, time.monotonic() - self.answered), 0.0
        return gap

    def run(self):
        while not self.over.is_set():
            method, target, body = self.question()
            connection = self.daemon_under_test.connection()
            try:
                answer = ask(connection, method, target, body, check=False)
                self.answers[answer.status] += 1
                if answer.status < 300:
                    now = time.monotonic()
                    self.gap, self.answered = max(self.gap, now - self.answered), now
                wrong = self.check(answer)
                if wrong:
                    self.wrong.append((target, answer.status, wrong))
            except (OSError, http.client.HTTPException):
                self.answers["none"] += 1
                time.sleep(0.005)
            finally:
                connection.close()

    def end(self):
        self.over.set()
        self.join()


class Writer:
    """A label that counts: what was acknowledged is never taken back."""

    def __init__(self):
        self.asked = 0
        self.known = -1

    def question(self):
        self.asked += 1
        return "PATCH", "/v1/jails/writes-0", {"labels": {"count": str(self.asked)}}

    def check(self, answer):
        if answer.status not in (200, 202):
            return answer.body
        self.known = self.asked
        return None


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "the memory kernel's jails end with their daemon")
class Replacement(ApiTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.built = pathlib.Path(Settings.binary).parent
        try:
            cls.daemon.stop()
            cls.installed = cls.daemon.directory / "installed"
            cls.installed.mkdir()
            cls.install()
            command = [str(cls.installed / "jaild") if one == Settings.binary else one for one in cls.daemon.command()]
            cls.daemon.command = lambda: command
            cls.daemon.start()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def install(cls):
        """As a package's files: each in the place of the one before, which somebody may still run."""
        for program in cls.built.iterdir():
            if program.is_file() and os.access(program, os.X_OK):
                shutil.copy(program, cls.installed / "new")
                os.replace(cls.installed / "new", cls.installed / program.name)

    def listed(self):
        return {jail["name"]: jail for jail in self.daemon.request("GET", "/v1/jails?limit=1000").json()["items"]}

    @staticmethod
    def lives_in(jails):
        """What tells one life of a jail from the next."""
        return {jail["name"]: (jail["status"]["state"], jail["status"].get("pid"), jail["status"].get("command_pid"),
                               tuple(jail["status"].get("addresses", ())))
                for jail in jails if not jail["name"].startswith(("ends", "again"))}

    def lives(self):
        return self.lives_in(self.listed().values())

    def root(self, name):
        identity = self.daemon.request("GET", f"/v1/jails/{name}").headers["ETag"].strip('"').split(".")[0]
        return self.daemon.state / "jails" / identity / "root"

    def lines(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}/logs").body.decode().splitlines()

    def shims(self):
        """Process and start of each, by the jail's directory."""
        found = {}
        for directory in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if directory.joinpath("comm").read_text() != "jaild-shim\n":
                    continue
                arguments = directory.joinpath("cmdline").read_text().split("\0")
                own = pathlib.Path(arguments[arguments.index("--directory") + 1]).parent
                if own.is_relative_to(self.daemon.state):
                    started = directory.joinpath("stat").read_text().rsplit(")", 1)[1].split()[19]
                    found[own] = (directory.name, started)
            except (OSError, ValueError):  # it has ended, or begins
                continue
        return found

    def test_a_hundred_jails(self):
        names = [spec(number)["name"] for number in range(JAILS)]
        for number in range(JAILS):
            answer = self.daemon.request("POST", "/v1/jails", spec(number))
            self.assertEqual(answer.status, 202, answer.body)
        eventually(lambda: all(jail["status"]["state"] == "running" for jail in self.listed().values()),
                   "all jails run", 300)
        enders = [name for name in names if name.startswith("ends")]
        restarted = [name for name in names if name.startswith("again")]
        roots = {name: self.root(name) for name in enders + restarted}
        eventually(lambda: all(self.lines(name) == ["begun"] for name in enders + restarted), "their commands run")
        before, shims = self.lives(), self.shims()
        self.assertEqual(len(shims), JAILS)

        writer = Writer()
        def others(answer):
            if answer.status != 200:
                return answer.body
            items = answer.json()["items"]
            if len(items) != JAILS:
                return f"{len(items)} jails"
            now = self.lives_in(items)
            return [(jail["name"], jail["status"]["state"], jail["status"]["conditions"]) for jail in items
                    if now.get(jail["name"]) != before.get(jail["name"])]

        def not_run(answer):
            ran = answer.json()["exit_code"] == 5 if answer.status == 200 else answer.code == "stopping"
            return None if ran else answer.body

        askers = [Asker(self.daemon, lambda: ("GET", "/v1/jails?limit=1000", None), others),
                  Asker(self.daemon, lambda: ("POST", "/v1/jails/writes-1/exec", {"argv": ["/bin/sh", "-c", "exit 5"]}),
                        not_run),
                  Asker(self.daemon, writer.question, writer.check)]
        for asker in askers:
            asker.start()
        try:
            gaps = []
            for number in range(REPLACEMENTS):
                for asker in askers:
                    asker.tell_gap()
                self.replace([roots[name] for name in enders[number::REPLACEMENTS]],
                             [roots[name] for name in restarted])
                # An exec is done when its program is.
                gaps.append(max(asker.tell_gap() for asker in (askers[0], askers[2])))
                self.assertEqual(self.lives(), before)
                for name in restarted:
                    lines = ["begun", "over"] * (number + 1) + ["begun"]
                    eventually(lambda name=name, lines=lines: self.lines(name) == lines, f"{name} runs again")
        finally:
            for asker in askers:
                asker.end()
        self.assertEqual([str(one)[:2000] for asker in askers for one in asker.wrong[:1]], [], "an answer was wrong")
        busy = os.getloadavg()[0] > 2 * os.cpu_count()
        self.assertLess(min(gaps), GAP_OF_A_BUSY_MACHINE if busy else GAP, gaps)
        for asker in askers:
            self.assertGreater(asker.answers[200] + asker.answers[202], 10, asker.answers)

        self.assertEqual(self.lives(), before)
        anew = {roots[name].parent for name in restarted}
        now = self.shims()
        self.assertEqual(len(now), JAILS)
        self.assertEqual({own: shim for own, shim in now.items() if own not in anew},
                         {own: shim for own, shim in shims.items() if own not in anew})
        jails = self.listed()
        self.assertIn(int(jails["writes-0"]["labels"]["count"]), (writer.known, writer.asked))
        for name in names:
            with self.subTest(name):
                if name.startswith("writes"):
                    lines = self.lines(name)
                    self.assertEqual(lines, [str(number) for number in range(len(lines))])
                    self.assertGreater(len(lines), 50)
                if name.startswith("ends"):
                    self.assertEqual(jails[name]["status"]["last_exit"]["exit_code"], code_of(name))
                    self.assertEqual(self.lines(name), ["begun", "over"])
                if name.startswith("again"):
                    self.assertEqual(jails[name]["status"]["last_exit"]["exit_code"], code_of(name))
                    self.assertEqual(jails[name]["status"]["restarts"], REPLACEMENTS)
                plan = self.daemon.request("GET", f"/v1/jails/{name}/plan").json()["plan"]
                self.assertEqual(plan, [])

    def replace(self, ends, restarted):
        """A third of those that end do so just before SIGTERM, a third while there is no daemon, the rest while the new
        one begins."""
        go = [ends[part::3] for part in range(3)]
        self.install()
        for root in go[0]:
            (root / "root/go").touch()
        self.assertEqual(self.daemon.stop(), 0)
        for root in go[1] + restarted:
            (root / "root/go").touch()
        self.daemon.launch()
        for root in go[2]:
            (root / "root/go").touch()
        eventually(self.daemon.is_ready, "the next one is ready")
