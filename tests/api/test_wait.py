"""jaildctl wait."""

import signal
import time

from cli import finish, jaildctl, start
from harness import ApiTest


class Wait(ApiTest):
    def tearDown(self):
        for jail in self.daemon.request("GET", "/v1/jails").json()["items"]:
            self.assertIn(self.daemon.delete(jail["name"]).status, (204, 404))
        super().tearDown()

    def waits(self, *arguments):
        ran = jaildctl(self.daemon, "wait", *arguments)
        return ran.code, ran.out, ran.err

    def test_jails_that_are_as_they_should_be_are_not_waited_for(self):
        self.assertEqual(self.waits(), (0, "", ""))
        self.daemon.make("web")
        self.daemon.make("off", running=False)
        self.assertEqual(self.waits(), (0, "", ""))
        self.assertEqual(self.waits("off", "web"), (0, "", ""))

    def test_who_is_not_up_by_then_is_named_with_the_reason(self):
        self.daemon.make("db")
        self.daemon.request("POST", "/v1/jails", {"name": "web", "depends_on": ["app"]})
        code, out, err = self.waits("--timeout", "1")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("web is starting: waits for app, which is not there", err)
        self.assertNotIn("db", err)
        self.assertEqual(self.waits("db", "--timeout", "1s")[0], 0)

    def test_it_ends_when_the_last_one_is_up(self):
        self.daemon.request("POST", "/v1/jails", {"name": "web", "depends_on": ["app"]})
        waiting = start(self.daemon, "wait", "web", "--timeout", "1m")
        time.sleep(0.5)
        self.assertIsNone(waiting.poll())
        self.daemon.make("app")
        self.assertEqual(finish(waiting).code, 0)

    def test_a_jail_with_a_probe_is_to_be_healthy(self):
        program = ["/bin/sh", "-c", "exit 1"] if self.on_linux() else ["exit", "1"]
        self.daemon.make("sick", health={"exec": {"command": program}, "interval": 1, "retries": 1, "start_period": 0})
        code, _, err = self.waits("sick", "--timeout", "3")
        self.assertEqual(code, 1)
        self.assertIn("sick is running, unhealthy", err)

    def test_a_daemon_that_hangs_is_not_waited_for_any_longer(self):
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            code, _, err = self.waits("--timeout", "2")
            took = time.monotonic() - begun
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)
        self.assertEqual(code, 1)
        self.assertIn("jaild did not answer in time", err)
        self.assertTrue(1.9 < took < 10, took)

    def test_wrong_calls(self):
        code, _, err = self.waits("nobody", "--timeout", "20")
        self.assertEqual(code, 1)
        self.assertIn('there is no jail "nobody"', err)
        code, _, err = self.waits("--timeout", "soon")
        self.assertEqual(code, 2)
        self.assertIn("--timeout", err)
