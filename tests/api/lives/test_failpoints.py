"""kill -9 of the daemon at named failpoints, on a real kernel: before and after each kind of step of a start, a stop, a
change, a removal, a restoration and an upgrade. And again at the same point while the next daemon mends what the first
left. Afterwards what was asked for is done, nothing is left over, and the jail beside it never noticed."""

import http.client
import itertools
import re
import subprocess
import time
import unittest

from archives import write
from explained import still_unexplained
from harness import DEADLINE, Settings, eventually, needs_root
from test_snapshots import SnapshotTest
from test_upgrades import version
from traces import on_host, traces

WAIT = {"Prefer": "wait=60"}

PAUSE = 0.02
COUNTER = f"i=0; while :; do echo $i; i=$((i + 1)); sleep {PAUSE}; done"
COMMAND = f"trap 'exit 7' TERM; echo begun; while :; do sleep {PAUSE}; done"
FULL = {"network": {"interfaces": [{"network": "apart"}]}, "publish": [{"host_port": 18081, "jail_port": 80}],
        "limits": {"memoryuse": "256M"}, "mounts": [{"type": "tmpfs", "target": "/cache"}],
        "exec": {"start": ["/bin/sh", "-c", "echo x >>/root/started"],
                 "stop": ["/bin/sh", "-c", "echo x >>/root/stopped"], "timeout": 20},
        "command": ["/bin/sh", "-c", COMMAND]}
SYSTEM = {"network": {"mode": "none"}, "exec": {"start": ["/bin/sh", "-c", "sleep 1000 & echo x >>/root/started"],
                                               "timeout": 5}}

# Each kind of step where it is met.
POINTS = {
    "start": ["ensure_bridge", "enable_forwarding", "apply_rules", "ensure_limits", "ensure_firewall", "prepare_root",
              "refresh_root", "mount", "hold", "reset", "record_begun", "exec_prestart", "create_jail", "exec_created",
              "ensure_link", "exec_start", "start_command", "exec_poststart", "record_done", "settle"],
    "system": ["watch_processes"],
    "stop": ["exec_prestop", "exec_stop", "record_stopped", "stop_command", "destroy_link", "remove_jail",
             "exec_poststop", "record_poststop", "remove_firewall", "remove_limits", "release", "unmount",
             "remove_rules", "remove_bridge"],
    "change": ["record_change", "update_jail", "mount", "unmount", "ensure_limits", "ensure_firewall"],
    "remove": ["stop_command", "remove_jail", "exec_poststop", "remove_root", "forget"],
    "restore": ["stage_root", "restore_root"],
    "upgrade": ["take_snapshot", "upgrade_root", "judge_upgrade"],
}
STARTED = ["prestart", "created", "poststart"]
STOPPED = ["prestop", "poststop"]
# Between a program's end and the record of it nobody knows that it was run.
UNRECORDED = {"prestop": {"after:exec_prestop", "before:exec_stop", "after:exec_stop", "before:record_stopped"},
              "stop": {"after:exec_stop", "before:record_stopped"},
              "poststop": {"after:exec_poststop", "before:record_poststop"}}
NOT_ON_LINUX = {"set_storage", "attach_dataset", "detach_dataset", "ensure_alias", "remove_alias"}


@needs_root
@unittest.skipUnless(Settings.kernel == "linux", "the real kernel's")
class Failpoints(SnapshotTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            for number in (1, 2):
                path = write(cls.daemon.directory / f"{number}.tar", version(number), "")
                made = cls.daemon.request("POST", "/v1/templates", {"name": "site", "version": str(number),
                                                                    "sets": [{"file": str(path)}]}, WAIT)
                assert made.status == 201, made.body
            made = cls.daemon.request("POST", "/v1/networks", {"name": "apart", "nat": True, "isolated": True}, WAIT)
            assert made.status == 201, made.body
            cls.hooks = cls.daemon.directory / "hooks"
            hooks = {hook: ["/bin/sh", "-c", f"echo {hook} >>{cls.hooks}"] for hook in STARTED + STOPPED}
            cls.full = {**FULL, "exec": {**FULL["exec"], **hooks}}
            cls.daemon.make("beside", command=["/bin/sh", "-c", COUNTER],
                            publish=[{"host_port": 18080, "jail_port": 80}])
            cls.instance = cls.daemon.request("GET", "/v1/host").json()["instance"]
            cls.before = cls.traces()
            cls.beside = cls.life("beside")
        except BaseException:
            cls.tearDownClass()
            raise

    # What is looked at.

    @classmethod
    def jail(cls, name):
        return cls.daemon.request("GET", f"/v1/jails/{name}").json()

    @classmethod
    def life(cls, name):
        status = cls.jail(name)["status"]
        return {key: status[key] for key in ("pid", "command_pid", "addresses")}

    @classmethod
    def traces(cls):
        """Without what a shell's loop starts all the time."""
        return [one for one in traces(cls.daemon, cls.instance) if not one.endswith(f" sleep {PAUSE}")]

    def lines(self, name):
        return self.daemon.request("GET", f"/v1/jails/{name}/logs?tail=100000").body.decode().splitlines()

    def times(self, name, file):
        """How often a program that writes a line into the file has run."""
        path = self.root("victim") / "root" / file
        return path.read_text().count("x") if path.exists() else 0

    def hooked(self):
        """The hooks of the victim that have run, in their order."""
        return self.hooks.read_text().splitlines()

    def undisturbed(self):
        self.assertEqual(self.life("beside"), self.beside)
        lines = self.lines("beside")
        self.assertEqual(lines, [str(number) for number in range(len(lines))], "each line once")
        eventually(lambda: len(self.lines("beside")) > len(lines), "it writes on")

    def nothing_left(self):
        """Of the victim, which was removed."""
        end = time.monotonic() + DEADLINE
        while (now := self.traces()) != self.before and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(now, self.before)
        self.assertEqual(still_unexplained(self.daemon), [])

    # What is done.

    def ask(self, method, target, body=None):
        """The daemon may die before it answers; what it was asked is in the database then, or its step would not have
        come."""
        try:
            answer = self.daemon.request(method, target, body)
            self.assertEqual(answer.status, 202, answer.body)
            return answer.headers.get("Location")
        except (OSError, http.client.HTTPException):
            return None

    def died(self):
        return self.daemon.process.poll() == -9

    def is_done(self, done, operation):
        """None: it died once more."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            if self.daemon.process.poll() is not None:
                return None
            try:
                over = operation is None or self.daemon.request("GET", operation).json()["state"] != "running"
                if self.daemon.request("GET", "/readyz").status == 200 and over and done():
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        return False

    def strike(self, point, act, done):
        """Kills at the point after act() was asked for, kills the next daemon there too if it comes by, and waits until
        done() under the one after it. How often it was killed."""
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start(point)
        operation = act()
        eventually(self.died, f"{point} is met; log:\n{self.daemon.log_tail()}")
        self.daemon.launch(point)
        over = self.is_done(done, operation)
        kills = 2 if over is None else 1
        if over is None:
            self.assertEqual(self.daemon.process.returncode, -9, self.daemon.log_tail())
            self.daemon.start()
            over = self.is_done(done, operation)
        self.assertTrue(over, f"{self.jail('victim')}\n{self.daemon.log_tail()}")
        if operation:
            ended = self.daemon.request("GET", operation).json()
            self.assertEqual(ended["state"], "succeeded", ended)
        self.undisturbed()
        return kills

    def settled(self, state):
        def check():
            answer = self.daemon.request("GET", "/v1/jails/victim")
            if answer.status != 200 or answer.json()["status"]["state"] != state:
                return False
            planned = self.daemon.request("GET", "/v1/jails/victim/plan").json()["plan"]
            return planned == [] and answer.json()["status"]["observed_generation"] == answer.json()["generation"]
        return check

    def gone(self):
        return self.daemon.request("GET", "/v1/jails/victim").status == 404

    def each(self, scene, check):
        for kind, when in itertools.product(POINTS[scene], ("before", "after")):
            with self.subTest(f"{when}:{kind}"):
                try:
                    self.hooks.write_text("")
                    # The other jail settles first, when it is adopted.
                    check(f"{when}:{kind}:2" if kind == "settle" else f"{when}:{kind}")
                finally:
                    if self.daemon.process.poll() is None:  # the last one may have the failpoint still
                        self.daemon.stop()
                    self.daemon.start()
                    self.assertIn(self.daemon.delete("victim").status, (204, 404))
                self.nothing_left()

    # What is struck at.

    def test_start(self):
        def check(point):
            def act():
                if point.endswith("enable_forwarding"):
                    on_host("sysctl", "-w", "net.ipv4.ip_forward=0")
                return self.ask("POST", "/v1/jails", {"name": "victim", **self.full})
            self.strike(point, act, self.settled("running"))
            self.assertEqual(self.times("victim", "started"), 1)
            self.assertEqual(self.lines("victim"), ["begun"])
            self.assertEqual(self.hooked(), STARTED, "what a start has done is known")

        self.each("start", check)

    def test_start_of_a_system(self):
        def check(point):
            self.strike(point, lambda: self.ask("POST", "/v1/jails", {"name": "victim", **SYSTEM}),
                        self.settled("running"))
            self.assertEqual(self.times("victim", "started"), 1)

        self.each("system", check)

    def test_stop(self):
        def check(point):
            self.daemon.make("victim", **self.full)
            kills = self.strike(point, lambda: self.ask("PATCH", "/v1/jails/victim", {"running": False}),
                                self.settled("stopped"))
            self.assertEqual(self.jail("victim")["status"]["last_exit"]["exit_code"], 7)
            again = {program: kills if point in points else 0 for program, points in UNRECORDED.items()}
            self.assertEqual(self.times("victim", "stopped"), 1 + again["stop"])
            self.assertEqual(self.hooked(), STARTED + ["prestop"] * (1 + again["prestop"]) +
                             ["poststop"] * (1 + again["poststop"]))

        self.each("stop", check)

    def test_change(self):
        change = {"hostname": "another", "limits": {"memoryuse": "128M"},
                  "publish": [{"host_port": 18082, "jail_port": 80}], "mounts": [{"type": "tmpfs", "target": "/other"}]}

        def check(point):
            self.daemon.make("victim", **self.full)
            before = self.life("victim")
            self.strike(point, lambda: self.ask("PATCH", "/v1/jails/victim", change), self.settled("running"))
            self.assertEqual(self.life("victim"), before, "it runs on")
            ran = self.daemon.request("POST", "/v1/jails/victim/exec",
                                      {"argv": ["/bin/sh", "-c", "hostname; cat /proc/mounts"]})
            said = ran.json()["stdout"]
            self.assertTrue(said.startswith("another\n") and " /other " in said and " /cache " not in said, said)

        self.each("change", check)

    def test_remove(self):
        def check(point):
            self.daemon.make("victim", **self.full)
            kills = self.strike(point, lambda: self.ask("DELETE", "/v1/jails/victim?force=true"), self.gone)
            again = kills if point in UNRECORDED["poststop"] else 0
            self.assertEqual(self.hooked()[len(STARTED + ["prestop"]):], ["poststop"] * (1 + again))

        self.each("remove", check)

    def test_restore(self):
        def check(point):
            self.daemon.make("victim", **self.full)
            kept = self.root("victim") / "root/kept"
            kept.write_text("before")
            self.take("victim", "first")
            kept.write_text("after")
            self.strike(point, lambda: self.ask("POST", "/v1/jails/victim/snapshots/first/restore"),
                        self.settled("running"))
            self.assertEqual(kept.read_text(), "before")

        self.each("restore", check)

    def test_upgrade(self):
        command = {"command": ["/usr/bin/dash", "-c", "/usr/bin/sleep 1000"], "network": {"mode": "none"}}

        def check(point):
            self.daemon.make("victim", template="site:1", **command)
            self.strike(point, lambda: self.ask("POST", "/v1/jails/victim/upgrade", {"template": "site:2"}),
                        self.settled("running"))
            self.assertEqual(self.jail("victim")["spec"]["template"], "site:2")
            self.assertTrue((self.root("victim") / "etc/only-2.conf").exists())

        self.each("upgrade", check)

    def test_each_kind_of_step_is_struck_at(self):
        refused = subprocess.run(self.daemon.command(), capture_output=True, text=True, check=False, timeout=DEADLINE,
                                 env={"JAILD_FAILPOINT": "before:nothing"})
        self.assertEqual(refused.returncode, 2, refused)
        self.assertIn('"before:nothing" is no failpoint', refused.stderr)
        known = set(re.search(r"NAME is one of (.*)", refused.stderr)[1].split(", "))
        self.assertEqual(known - {kind for kinds in POINTS.values() for kind in kinds}, NOT_ON_LINUX)
