"""Templates of archives that the daemon gets from the net: a server of the test's own, on loopback."""

import hashlib
import subprocess
import sys
import unittest

from archives import base, write
from cli import jaildctl
from harness import TOKENS, ApiTest, Settings, eventually, free_port, needs_root
from test_template_copies import Copies

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}


@needs_root
class FromTheNet(Copies):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.served = cls.daemon.directory / "served"
        cls.served.mkdir()
        cls.server_port = free_port()
        inside = ["nsenter", f"--net=/run/netns/{Settings.namespace}", "--"] if Settings.namespace else []
        cls.server = subprocess.Popen([*inside, sys.executable, "-u", "-m", "http.server", str(cls.server_port), "--bind",
                                       "127.0.0.1", "--directory", str(cls.served)], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
        cls.server.stdout.readline()  # it serves

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        self.archive = write(self.served / "base.txz", base())
        self.sum = hashlib.sha256(self.archive.read_bytes()).hexdigest()

    def url(self, name="base.txz"):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def test_it_is_downloaded_checked_and_unpacked(self):
        answer = self.post(sets=[{"url": self.url() + "?a=b", "sha256": self.sum}])
        self.assertEqual(answer.status, 201, answer.body)
        made = answer.json()
        self.assertEqual((made["source"], made["entries"]), (self.url(), 12))
        self.assertEqual(made["sets"], [{"name": "base.txz", "sha256": self.sum, "bytes": self.archive.stat().st_size}])
        self.assertEqual([one.name for one in self.tree().parent.iterdir()], ["root"])

    def test_a_wrong_checksum_unpacks_nothing(self):
        self.refused(self.post(sets=[{"url": self.url(), "sha256": "0" * 64}]), 422, "checksum_mismatch")
        self.assertEqual(self.left(), [])

    def test_what_is_not_there(self):
        problem = self.refused(self.post(sets=[{"url": self.url("none.txz")}]), 422, "download_failed")
        self.assertIn("404", problem["detail"])
        self.refused(self.post(sets=[{"url": "http://127.0.0.1:1/base.txz"}]), 422, "download_failed")
        self.refused(self.post(sets=[{"url": "http://nosuch.invalid/base.txz"}]), 422, "download_failed")
        self.refused(self.post(sets=[{"url": "file:///etc/passwd"}]), 422, "invalid_url", "/sets/0/url")
        self.assertEqual(self.left(), [])

    def test_a_manifest_from_the_net(self):
        line = "{}\t{}\t12\tbase\t\"Base system (MANDATORY)\"\ton\n".format
        manifest = self.served / "MANIFEST"

        def post():
            return self.post(sets=[{"url": self.url()}], manifest=self.url("MANIFEST"))

        manifest.write_text(line("kernel.txz", self.sum))
        self.refused(post(), 422, "manifest_incomplete")
        manifest.write_text("<html>no</html>\n")
        self.refused(post(), 422, "manifest_unreadable")
        manifest.write_text(line("base.txz", "0" * 64))
        self.refused(post(), 422, "checksum_mismatch")
        manifest.unlink()
        self.refused(post(), 422, "download_failed")
        self.assertEqual(self.left(), [])
        manifest.write_text(line("base.txz", self.sum.upper()))
        self.assertEqual(post().status, 201)

    def test_jaildctl_passes_urls_on(self):
        (self.served / "MANIFEST").write_text(f"base.txz\t{self.sum}\t12\tbase\t\"Base\"\ton\n")
        made = jaildctl(self.daemon, "template", "import", "net:1", self.url(), "--manifest", self.url("MANIFEST"))
        self.assertEqual((made.code, made.out), (0, "imported net:1: 12 entries, 0K\n"), made)
        with_file = jaildctl(self.daemon, "template", "import", "net:2", self.url("base.txz?x"), "--manifest",
                             str(self.served / "MANIFEST"))
        self.assertEqual(with_file.code, 0, with_file)
        both = jaildctl(self.daemon, "template", "import", "net:3", self.url(), str(self.archive))
        self.assertEqual(both.code, 0, both)
        shown = self.daemon.request("GET", f"{TEMPLATES}/net:3").json()
        self.assertEqual([one["sha256"] for one in shown["sets"]], [self.sum, self.sum])

    def test_a_download_that_is_cancelled(self):
        silent = self.silent_server()
        answer = self.daemon.request("POST", TEMPLATES, {"name": "made", "sets": [{"url": silent}]})
        self.assertEqual(answer.status, 202, answer.body)
        seen = eventually(lambda: self.daemon.request("GET", answer.headers["Location"]).json()["progress"], "progress")
        self.assertEqual((seen["phase"], seen["item"]), ("downloading", "slow.txz"))
        self.assertEqual(self.daemon.request("DELETE", answer.headers["Location"]).json()["state"], "cancelled")
        eventually(lambda: self.left() == [], "nothing left")

    def silent_server(self):
        """The URL of one that takes connections and says nothing."""
        port = free_port()
        inside = ["nsenter", f"--net=/run/netns/{Settings.namespace}", "--"] if Settings.namespace else []
        code = (f"import socket; s = socket.create_server(('127.0.0.1', {port})); print('up', flush=True); "
                "held = [s.accept() for _ in range(9)]")
        server = subprocess.Popen([*inside, sys.executable, "-c", code], stdout=subprocess.PIPE)

        def end():
            server.kill()
            server.wait()
            server.stdout.close()

        self.addCleanup(end)
        server.stdout.readline()
        return f"http://127.0.0.1:{port}/slow.txz"


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class UrlRoles(ApiTest):
    tcp = True

    def test_only_an_admin_sends_the_daemon_to_the_net(self):
        headers = {"Authorization": f"Bearer {TOKENS['operator']}"}
        body = {"name": "x", "sets": [{"url": "http://127.0.0.1:1/a"}]}
        self.refused(self.daemon.request("POST", TEMPLATES, body, headers, tcp=True), 403, "role_too_low")
