"""jaildctl stats, top, ps and kill."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

from cli import command, jaildctl
from harness import DEADLINE, ApiTest, Settings, eventually

LINUX = Settings.kernel == "linux"
SLEEP = ["sleep", "1000"]


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, arguments, rows=24, columns=120):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True)
        self.shown = ""

    def until(self, text, since=0):
        """Reads until the text was shown after that place; the place behind it."""
        end = time.monotonic() + DEADLINE
        while text not in self.shown[since:]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"{text!r} was not shown: {self.shown[since:]!r}")
            self.shown += os.read(self.master, 65536).decode()
        return self.shown.index(text, since) + len(text)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def settings(self):
        return termios.tcgetattr(self.slave)

    def end(self):
        """Its exit code, when it has ended."""
        code = self.process.wait(timeout=DEADLINE)
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536).decode()
        return code

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


class Stats(ApiTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("one", "two"):
            cls.daemon.make(name, command=SLEEP, labels={"n": name})
        cls.daemon.make("idle", running=False)

    def run_ok(self, *arguments):
        ran = jaildctl(self.daemon, *arguments)
        self.assertEqual((ran.code, ran.err), (0, ""), ran)
        return ran.out

    def test_a_table(self):
        lines = self.run_ok("stats").splitlines()
        self.assertEqual(lines[0].split(), "NAME STATE CPU MEMORY LIMIT PROCS FILES READ WRITE RX TX UP".split())
        self.assertEqual([line.split()[:2] for line in lines[1:]],
                         [["one", "running"], ["two", "running"], ["idle", "stopped"]])
        self.assertEqual(lines[3].split()[2:], ["-"] * 10)
        self.assertNotEqual(lines[1].split()[3], "-")
        self.assertEqual([line.split()[0] for line in self.run_ok("stats", "two").splitlines()[1:]], ["two"])
        self.assertEqual([line.split()[0] for line in self.run_ok("stats", "--label", "n=one").splitlines()[1:]], ["one"])

    def test_for_programs(self):
        answer = json.loads(self.run_ok("-o", "json", "stats"))
        self.assertEqual([item["name"] for item in answer["items"]], ["one", "two", "idle"])
        self.assertIn("monotonic_us", answer)
        self.assertEqual(json.loads(self.run_ok("-o", "json", "stats", "one"))["name"], "one")
        answer = json.loads(self.run_ok("-o", "json", "stats", "two", "one"))
        self.assertEqual([item["name"] for item in answer["items"]], ["two", "one"])

    def test_who_is_not_there(self):
        for words in (("stats", "none"), ("ps", "none"), ("kill", "none")):
            ran = jaildctl(self.daemon, *words)
            self.assertEqual(ran.code, 1, ran)
            self.assertIn("there is no jail", ran.err)

    def test_top_once(self):
        lines = self.run_ok("top", "--once", "-d", "1", "--sort", "name").splitlines()
        self.assertEqual(lines[0].split(), "NAME CPU% MEMORY LIMIT PROCS FILES READ WRITE RX TX UP".split())
        self.assertEqual([line.split()[0] for line in lines[1:]], ["one", "two"], "what does not run uses nothing")
        for line in lines[1:]:
            self.assertGreaterEqual(float(line.split()[1]), 0)
        self.assertEqual(self.run_ok("top", "-n", "2", "-d", "1").count("CPU%"), 2, "without a terminal")
        for wrong in (("--sort", "size"), ("-d", "0"), ("-d", "3601"), ("-n", "0")):
            self.assertEqual(jaildctl(self.daemon, "top", *wrong).code, 2, wrong)
        self.assertEqual(jaildctl(self.daemon, "-o", "json", "top").code, 2)

    def test_top_sorts(self):
        if LINUX:  # the other kernel's jails use the more the greater their ids
            self.daemon.request("PATCH", "/v1/jails/two", {"command": ["sh", "-c", "while :; do :; done"]})
            self.daemon.request("POST", "/v1/jails/two/restart", headers={"Prefer": "wait=60"})
        names = [line.split()[0] for line in self.run_ok("top", "--once", "-d", "1").splitlines()[1:]]
        self.assertEqual(names, ["two", "one"])

    def test_top_on_a_terminal(self):
        terminal = Terminal(command(self.daemon, "top", "-d", "1"), rows=5, columns=60)
        try:
            at = terminal.until("by cpu")
            at = terminal.until("NAME", at)
            at = terminal.until("one", at)
            self.assertTrue(terminal.shown.startswith("\x1b[?1049h"), "the second screen")
            self.assertFalse(terminal.settings()[3] & termios.ICANON)
            terminal.type("n")
            at = terminal.until("by name", at)
            terminal.type("m")
            at = terminal.until("by memory", at)
            at = terminal.until("by memory", at)  # again a second later, by itself
            for line in re.split(r"[\r\n]+|\x1b\[H", terminal.shown):
                self.assertLessEqual(len(re.sub(r"\x1b\[\??[0-9]*[A-Za-z]", "", line)), 60, "cut to the window")
            terminal.type("q")
            self.assertEqual(terminal.end(), 0)
            self.assertTrue(terminal.shown.endswith("\x1b[?25h\x1b[?1049l"), "the screen as it was")
            self.assertEqual(terminal.settings(), terminal.before)
        finally:
            terminal.close()

    def test_a_signal_leaves_the_terminal_as_it_was(self):
        for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGINT, 0)):
            terminal = Terminal(command(self.daemon, "top", "-d", "60"))
            try:
                terminal.until("two")
                terminal.process.send_signal(number)
                self.assertEqual(terminal.end(), code)
                self.assertTrue(terminal.shown.endswith("\x1b[?25h\x1b[?1049l"))
                self.assertEqual(terminal.settings(), terminal.before)
            finally:
                terminal.close()

    def test_a_daemon_that_goes_away_is_said_on_the_old_screen(self):
        terminal = Terminal(command(self.daemon, "top", "-d", "1"))
        try:
            terminal.until("two")
            self.daemon.stop()
            self.assertEqual(terminal.end(), 3)
            self.assertEqual(terminal.settings(), terminal.before)
            self.assertIn(b"no jaild answers", terminal.process.stderr.read())
        finally:
            terminal.close()
            self.daemon.start()


class Processes(ApiTest):
    def pid(self, jail):
        return self.daemon.request("GET", f"/v1/jails/{jail}").json()["status"]["command_pid"]

    def test_ps(self):
        self.daemon.make("box", command=SLEEP)
        ran = jaildctl(self.daemon, "ps", "box")
        self.assertEqual((ran.code, ran.err), (0, ""), ran)
        lines = ran.out.splitlines()
        self.assertEqual(lines[0].split(), "PID JAIL PID USER CPU MEMORY AGE STATE COMMAND".split())
        own = [line.split() for line in lines[1:] if "jaild's own" not in line]
        self.assertEqual([(line[0], line[2], line[6]) for line in own], [(str(self.pid("box")), "root", "sleeping")])
        answer = json.loads(jaildctl(self.daemon, "-o", "json", "ps", "box").out)
        self.assertEqual(len(answer["items"]), len(lines) - 1)

    def test_kill(self):
        self.daemon.make("victim", command=SLEEP)
        pid = self.pid("victim")
        ran = jaildctl(self.daemon, "kill", "-s", "CONT", "victim", str(pid))
        self.assertEqual((ran.code, ran.out), (0, "sent CONT to 1 process of victim\n"), ran)
        for words, code in ((("kill", "victim", str(os.getpid())), 1), (("kill", "-s", "NOPE", "victim"), 1),
                            (("kill", "victim", "0"), 2), (("kill", "victim", "x"), 2), (("kill",), 2)):
            self.assertEqual(jaildctl(self.daemon, *words).code, code, words)
        self.assertEqual(self.pid("victim"), pid)
        ran = jaildctl(self.daemon, "-o", "json", "kill", "victim")
        self.assertEqual(json.loads(ran.out), {"pids": [pid]}, ran)
        eventually(lambda: self.pid("victim") is None, "it ended")

    def test_a_jail_cannot_draw_on_the_terminal(self):
        if not LINUX:
            self.skipTest("needs a kernel that runs programs")
        self.daemon.make("rude", command=["sh", "-c", "sleep 1000; :", "\x1b[2J\u009b2J\n"])
        items = self.daemon.request("GET", "/v1/jails/rude/processes").json()["items"]
        self.assertTrue(any("\x1b[2J" in one["command"] for one in items), items)
        ran = jaildctl(self.daemon, "ps", "rude")
        self.assertIn("?[2J?2J?", ran.out)
        self.assertNotIn("\x1b", ran.out)
        self.assertNotIn("\u009b", ran.out)
