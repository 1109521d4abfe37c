"""rc.d/jaild with a real jaild on the memory kernel; FreeBSD's rc.subr(8), daemon(8) and pwait(1) are stand-ins."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import installed_files
from settings import Settings

STAND_INS = pathlib.Path(__file__).resolve().parent / "freebsd"
DEADLINE = 60


def eventually(check, what):
    end = time.monotonic() + DEADLINE
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        time.sleep(0.02)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


@unittest.skipUnless(sys.platform.startswith("linux"), "FreeBSD has the real ones")
class Service(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="jaild-rc-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        for directory in ("etc", "run", "log", "bin", "usr/sbin"):
            (self.root / directory).mkdir(parents=True)
        for name, place in (("rc.subr", "etc"), ("daemon", "usr/sbin"), ("pwait", "bin")):
            shutil.copy(STAND_INS / name, self.root / place)
        prefix = installed_files.install(Settings.build, self.root / "installed", Settings.cmake)
        text = (Settings.source / "rc.d/jaild").read_text()
        for was, now in (("/etc/rc.subr", "etc/rc.subr"), ("/usr/sbin/daemon", "usr/sbin/daemon"),
                         ("/var/run/", "run/"), ("/var/log/", "log/"),
                         ("@CMAKE_INSTALL_PREFIX@", prefix.relative_to(self.root))):
            self.assertIn(was, text)
            text = text.replace(was, f"{self.root}/{now}")
        self.script = self.root / "etc/jaild"
        self.script.write_text(text)
        self.log = self.root / "log/jaild.log"
        self.socket = self.root / "s/jaild.sock"
        self.config = self.root / "etc/jaild.toml"
        self.config.write_text("")
        self.rc_conf = self.root / "etc/rc.conf"
        self.write_rc_conf()
        self.addCleanup(self.end)

    def write_rc_conf(self, **changed):
        values = {"jaild_enable": "YES", "jaild_config": self.config,
                  "jaild_flags": f"--kernel memory --state-dir {self.root}/s"} | changed
        self.rc_conf.write_text("".join(f'{name}="{value}"\n' for name, value in values.items()))

    def end(self):
        for file in (self.root / "run").glob("*.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                pass

    def service(self, argument, **environment):
        path = f"{self.root}/bin:{os.environ['PATH']}"
        return subprocess.run(["sh", self.script, argument], capture_output=True, text=True, timeout=2 * DEADLINE,
                              env={"PATH": path, "RC_CONF": str(self.rc_conf)} | environment, check=False)

    def succeeds(self, argument, **environment):
        ran = self.service(argument, **environment)
        self.assertEqual(ran.returncode, 0, ran)
        return ran.stdout

    def fails(self, argument):
        ran = self.service(argument)
        self.assertNotEqual(ran.returncode, 0, ran)
        return ran

    def ask(self, method, target, body=None):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json", "Prefer": "wait=30"})
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def start(self):
        self.assertEqual(self.succeeds("start"), "Starting jaild.\n")
        self.wait_until_ready()

    def wait_until_ready(self):
        eventually(lambda: self.ask("GET", "/readyz") == 200, "readyz")

    def pid(self, name="jaild"):
        return int((self.root / f"run/{name}.pid").read_text())

    def lines(self, text):
        return [at for at, line in enumerate(self.log.read_text().splitlines()) if text in line]

    def test_a_life(self):
        self.start()
        self.assertEqual(self.succeeds("status"), f"jaild is running as pid {self.pid()}.\n")
        self.assertNotEqual(self.pid(), self.pid("jaild-supervisor"))
        self.fails("start")
        before = self.pid()
        self.assertEqual(self.succeeds("restart"), "Stopping jaild.\nStarting jaild.\n")
        self.wait_until_ready()
        self.assertNotEqual(self.pid(), before)
        self.assertEqual(self.succeeds("stop"), "Stopping jaild.\n")
        self.assertEqual(len(self.lines("jails run on")), 2)
        self.assertEqual(self.lines("the host goes down"), [])
        self.fails("status")
        self.fails("stop")
        self.assertEqual(self.succeeds("faststop"), "", "at shutdown that is no news")

    def test_it_runs_in_no_service_jail(self):
        self.write_rc_conf(svcj_all_enable="YES", jaild_svcj="YES")
        self.start()
        self.succeeds("stop")

    def test_reload(self):
        self.fails("reload")
        self.start()
        self.config.write_text('log_level = "warn"\n')
        self.succeeds("reload")
        eventually(lambda: self.lines("log level warn"), "the new configuration")
        self.config.write_text('log_level = "loud"\n')
        self.assertIn("loud", self.fails("reload").stderr)
        self.fails("restart")
        self.assertEqual(self.ask("GET", "/healthz"), 200)

    def test_a_bad_configuration_starts_nothing(self):
        self.config.write_text("colour = 1\n")
        self.assertIn("jaild.toml:1", self.fails("start").stderr)
        self.fails("configtest")
        self.assertFalse(self.log.exists())
        self.config.write_text("")
        self.assertIn("good", self.succeeds("configtest"))
        self.config.unlink()
        self.fails("start")
        self.write_rc_conf(jaild_enable="NO")
        self.assertIn("jaild_enable", self.succeeds("start"))
        self.assertFalse(self.log.exists())

    def test_a_shutdown_stops_the_jails_first(self):
        self.start()
        self.assertEqual(self.ask("POST", "/v1/jails", '{"name": "web", "command": ["sleep", "1000"]}'), 201)
        self.succeeds("faststop", rc_shutdown="reboot")
        halted, ending = self.lines("all jails are stopped"), self.lines("ending")
        self.assertEqual((len(halted), len(ending)), (1, 1), self.log.read_text())
        self.assertLess(halted[0], ending[0])

    def test_a_start_waits_for_the_jails(self):
        self.start()
        for name, more in (("db", ""), ("web", ', "depends_on": ["db"]'), ("off", ', "running": false')):
            self.assertEqual(self.ask("POST", "/v1/jails", f'{{"name": "{name}"{more}}}'), 201)
        self.succeeds("faststop", rc_shutdown="reboot")
        self.write_rc_conf(jaild_wait="30", jaild_host=f"unix://{self.socket}")
        ran = self.service("start")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran)
        connection = UnixConnection(self.socket)
        connection.request("GET", "/v1/jails?state=running")
        self.assertEqual({jail["name"] for jail in json.load(connection.getresponse())["items"]}, {"db", "web"})
        connection.close()

        broken = '{"name": "broken", "exec": {"start": ["missing"]}}'
        self.assertEqual(self.ask("POST", "/v1/jails", broken), 422, "it is there, and does not start")
        self.succeeds("faststop", rc_shutdown="reboot")
        self.write_rc_conf(jaild_wait="2", jaild_host=f"unix://{self.socket}")
        ran = self.service("start")
        self.assertEqual(ran.returncode, 0, "the host goes on")
        self.assertIn("broken is ", ran.stderr)
        self.assertIn("not all jails are up", ran.stderr)
        self.succeeds("stop")

    def test_what_dies_is_started_again(self):
        self.start()
        before = self.pid()
        os.kill(before, signal.SIGKILL)
        eventually(lambda: self.pid() != before, "another jaild")
        self.wait_until_ready()
        self.succeeds("stop")

    def test_a_stop_while_it_is_about_to_be_started_again(self):
        self.start()
        before = self.pid()
        os.kill(before, signal.SIGKILL)
        eventually(lambda: not pathlib.Path(f"/proc/{before}").exists(), "its end")
        self.assertIn("about to start it again", self.fails("status").stdout)
        self.succeeds("stop")
        self.assertEqual(list((self.root / "run").glob("*.pid")), [])

    def test_an_old_pid_file_of_somebody_else_is_not_believed(self):
        stranger = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        for name in ("jaild", "jaild-supervisor"):
            (self.root / f"run/{name}.pid").write_text(str(stranger.pid))
        self.fails("stop")
        self.fails("reload")
        self.assertIsNone(stranger.poll())
