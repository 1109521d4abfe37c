"""What a service manager does with jaild: checks its configuration, signals it, is told when it is ready."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import DEADLINE, TOKENS, Daemon, Settings, bearer, eventually


no_kernel = unittest.skipIf(Settings.kernel == "linux", "nothing of it knows a kernel")


@no_kernel
class CheckConfig(unittest.TestCase):
    def check(self, text, mode=0o600):
        with tempfile.TemporaryDirectory(prefix="jaild-api-") as directory:
            config = os.path.join(directory, "jaild.toml")
            state = os.path.join(directory, "state")
            with open(config, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, mode)) as file:
                file.write(f'state_dir = "{state}"\n{text}')
            ran = subprocess.run([Settings.binary, "--check-config", "--config", config], capture_output=True, text=True,
                                 timeout=DEADLINE, check=False)
            self.assertEqual((os.listdir(directory), ran.stdout), (["jaild.toml"], ""), "it only looks")
            return ran.returncode, ran.stderr

    def test_a_good_one(self):
        self.assertEqual(self.check('log_level = "warn"\n'), (0, ""))
        token = '[[token]]\nname = "ci"\nvalue = "0123456789abcdef"\n'
        self.assertEqual(self.check('listen = "127.0.0.1:8080"\n' + token), (0, ""))

    def test_bad_ones_are_refused_with_file_and_line(self):
        for text, said in (('colour = "red"\n', "jaild.toml:2: unknown key"), ("log_level = \n", "jaild.toml:2:"),
                           ('log_level = "loud"\n', "loud"), ('listen = "127.0.0.1:8080"\n', "token"),
                           ('listen = "0.0.0.0:1"\n', "loopback"), ('listen = "here"\n', "HOST:PORT")):
            code, message = self.check(text)
            self.assertEqual(code, 2, text)
            self.assertIn(said, message)

    def test_one_that_is_not_there(self):
        ran = subprocess.run([Settings.binary, "--check-config", "--config", "/nonexistent/jaild.toml"],
                             capture_output=True, text=True, timeout=DEADLINE, check=False)
        self.assertEqual(ran.returncode, 2)
        self.assertIn("/nonexistent/jaild.toml", ran.stderr)


@no_kernel
class Reload(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(tcp=True)
        self.addCleanup(self.daemon.remove)
        self.config = self.daemon.directory / "jaild.toml"
        self.was = self.config.read_text(encoding="utf-8")

    def reload(self, text, expected):
        """Rewrites the file, sends SIGHUP, and waits for a line of the log."""
        before = self.daemon.log.read_text().count(expected)
        self.config.write_text(text, encoding="utf-8")
        self.daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.daemon.log.read_text().count(expected) > before, f"\"{expected}\" in the log")

    def status(self, token):
        return self.daemon.request("GET", "/v1/jails", headers=bearer(token), tcp=True, check=False).status

    def test_tokens_are_taken_over(self):
        self.reload(self.was.replace(TOKENS["viewer"], "another-token-0123456789"), "SIGHUP: configuration read")
        eventually(lambda: self.status(TOKENS["viewer"]) == 401, "the old token is refused")
        self.assertEqual(self.status("another-token-0123456789"), 200)
        self.assertEqual(self.status(TOKENS["admin"]), 200)

    def test_a_bad_file_changes_nothing(self):
        bad = self.was.replace(TOKENS["viewer"], "short")
        self.reload(bad, "the old configuration stays")
        self.assertIn("jaild.toml:", self.daemon.log_tail())
        self.reload("", "the old configuration stays")  # TCP without a token
        self.config.unlink()
        before = self.daemon.log.read_text().count("the old configuration stays")
        self.daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.daemon.log.read_text().count("the old configuration stays") > before, "a refusal")
        for token in TOKENS.values():
            self.assertEqual(self.status(token), 200)

    def test_what_needs_a_start_is_named(self):
        self.reload("manage_forwarding = false\n" + self.was, "waits for the next start of jaild: manage_forwarding")

    def test_the_log_level_is_the_command_lines_first(self):
        self.reload('log_level = "error"\n' + self.was, "log level debug, 3 tokens")


@no_kernel
class LogLevel(unittest.TestCase):
    def test_it_is_taken_over(self):
        daemon = Daemon(start=False)
        self.addCleanup(daemon.remove)
        command = daemon.command()
        at = command.index("--log-level")
        daemon.command = lambda: command[:at] + command[at + 2:]
        daemon.start()
        config = daemon.directory / "jaild.toml"
        # At "info" the second line would name manage_forwarding, as above.
        config.write_text('log_level = "error"\nmanage_forwarding = false\n', encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "log level error, 0 tokens" in daemon.log.read_text(), "it is read")
        config.write_text("log_level = 1\n", encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the old configuration stays" in daemon.log.read_text(), "the refusal")
        self.assertNotIn("waits for the next start", daemon.log.read_text())


class Halt(unittest.TestCase):
    """SIGUSR1: the host goes down."""

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)
        self.daemon.make("web", command=["sleep", "100000"])
        self.daemon.make("idle", running=False)

    def jail(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}").json()

    def state(self, name):
        return self.jail(name)["status"]["state"]

    def lines(self, text):
        return [number for number, line in enumerate(self.daemon.log.read_text().splitlines()) if text in line]

    def test_all_jails_stop_and_run_again_after_the_next_start(self):
        before = self.jail("web")
        self.daemon.process.send_signal(signal.SIGUSR1)
        eventually(lambda: self.state("web") == "stopped", "web is stopped")
        stopped = self.jail("web")
        self.assertEqual((stopped["spec"], stopped["generation"]), (before["spec"], before["generation"]))
        self.assertIsNone(stopped["status"]["pid"])
        self.assertIn("host goes down", stopped["status"]["conditions"][0]["message"])
        self.assertEqual(self.daemon.request("GET", "/v1/jails/web/plan").json()["plan"], [])
        eventually(lambda: self.lines("all jails are stopped"), "the halt is done")
        self.assertEqual(self.daemon.stop(), 0)

        self.daemon.start()
        eventually(lambda: self.state("web") == "running", "web runs again")
        self.assertIsNotNone(self.jail("web")["status"]["command_pid"], "with its command")
        self.assertEqual(self.state("idle"), "stopped")
        types = [event["type"] for event in
                 self.daemon.request("GET", "/v1/events?follow=false&limit=1000").json()["items"]]
        self.assertIn("host.stopping", types)
        self.assertNotIn("drift.repaired", types)

    def test_an_end_waits_for_the_halt(self):
        # Both at once, as a service manager sends them.
        self.daemon.process.send_signal(signal.SIGUSR1)
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(timeout=60), 0)
        halted, ending = self.lines("all jails are stopped"), self.lines("ending")
        self.assertEqual((len(halted), len(ending)), (1, 1), self.daemon.log_tail())
        self.assertLess(halted[0], ending[0])
        self.daemon.start()
        eventually(lambda: self.state("web") == "running", "web runs again")

    def test_a_kill_in_the_middle_loses_nothing(self):
        self.daemon.process.send_signal(signal.SIGUSR1)
        eventually(lambda: self.lines("the host goes down"), "the halt began")
        self.daemon.kill()
        self.daemon.start()
        eventually(lambda: self.state("web") == "running", "web runs again")


@no_kernel
@unittest.skipUnless(sys.platform.startswith("linux"), "systemd's")
class Notify(unittest.TestCase):
    def told(self, name):
        """What a service manager that listens on `name` is told from a start to an end."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(DEADLINE)
            daemon = Daemon(start=False)
            self.addCleanup(daemon.remove)
            path = str(daemon.directory / "notify") if name is None else f"@{name}"
            manager.bind("\0" + name if name else path)
            os.environ["NOTIFY_SOCKET"] = path
            try:
                daemon.start()
            finally:
                del os.environ["NOTIFY_SOCKET"]
            ready = manager.recv(100)
            self.assertEqual(daemon.stop(), 0)
            return ready, manager.recv(100)

    def test_ready_and_stopping(self):
        self.assertEqual(self.told(None), (b"READY=1", b"STOPPING=1"))
        self.assertEqual(self.told(f"jaild-api-{os.getpid()}"), (b"READY=1", b"STOPPING=1"))

