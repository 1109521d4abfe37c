"""Templates of archives that a client sends."""

import hashlib
import os
import pathlib

import archives
from archives import base
from cli import jaildctl
from harness import ApiTest, Daemon, eventually, needs_root, read_response

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}
MEBIBYTE = 1 << 20


@needs_root
class Uploads(ApiTest):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(config=('template_max_bytes = "20M"',))

    def setUp(self):
        super().setUp()
        self.name = "u-" + self.name[:40]
        self.target = f"{TEMPLATES}/{self.name}:1/archive"

    def tearDown(self):
        for one in self.templates():
            self.daemon.request("DELETE", f"{TEMPLATES}/{one['reference']}", headers=WAIT)
        self.assertEqual(self.left(), [])
        super().tearDown()

    def templates(self):
        return [one for one in self.daemon.request("GET", TEMPLATES).json()["items"] if not one["builtin"]]

    def left(self):
        """What lies where uploads and templates do."""
        return sorted(name for place in ("uploads", "templates") if (self.daemon.state / place).exists()
                      for name in os.listdir(self.daemon.state / place))

    def open_files(self):
        """The files without a name that the daemon holds, in bytes."""
        sizes = []
        for link in pathlib.Path(f"/proc/{self.daemon.process.pid}/fd").iterdir():
            try:
                if "/uploads/" in os.readlink(link):
                    sizes.append(link.stat().st_size)
            except FileNotFoundError:
                pass
        return sizes

    def archive(self, entries=None):
        path = self.daemon.directory / f"{self.name}.tar.gz"
        archives.write(path, base() if entries is None else entries, "gz")
        return path.read_bytes()

    def send(self, data, query="", headers=None, target=None):
        return self.daemon.request("POST", (target or self.target) + query, data, headers or WAIT)

    def begin(self, length, sent):
        """A client that has sent so much of a body that is said to be longer."""
        connection = self.daemon.raw()
        connection.sendall(f"POST {self.target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode() + sent)
        return connection

    def test_an_archive_that_is_sent_becomes_a_template(self):
        data = self.archive()
        digest = hashlib.sha256(data).hexdigest()
        answer = self.send(data, f"?sha256={digest}&description=sent&private=/opt/a&private=/opt/b")
        self.assertEqual(answer.status, 201, answer.body)
        made = answer.json()
        self.assertEqual((made["reference"], made["entries"], made["private"], made["source"], made["description"]),
                         (f"{self.name}:1", 12, ["/opt/a", "/opt/b"], "the uploaded archive", "sent"))
        self.assertEqual(made["sets"], [{"name": "upload", "bytes": len(data), "sha256": digest}])
        number = self.send(data, target=f"{TEMPLATES}/{self.name}/archive")
        self.assertEqual((number.status, number.json()["version"]), (201, "2"))

    def test_what_is_wrong_is_said_before_or_after_the_bytes_and_nothing_stays(self):
        data = self.archive()
        self.assertEqual(self.send(data).status, 201)
        for query, target, body, status, code, field in (
                ("?sha256=12", None, data, 422, "invalid_checksum", "/sha256"),
                ("?private=opt", None, data, 422, "invalid_path", "/private/0"),
                ("?sha256=" + "0" * 64, f"{TEMPLATES}/{self.name}:2/archive", data, 422, "checksum_mismatch", None),
                ("", f"{TEMPLATES}/{self.name}:3/archive", b"", 422, "archive_unreadable", None),
                ("", f"{TEMPLATES}/{self.name}:3/archive", data[:-200], 422, None, None),
                ("", f"{TEMPLATES}/host/archive", data, 422, "name_reserved", "/name"),
                ("", None, data, 409, "template_exists", "/version"),
                ("?version=3", None, data, 400, "unknown_parameter", None)):
            with self.subTest(query=query, target=target):
                answer = self.send(body, query, target=target)
                self.assertEqual(answer.status, status, answer.body)
                if code:
                    self.assertEqual(answer.json()["code"], code)
                self.assertEqual(answer.json().get("field"), field)
        self.assertEqual([one["version"] for one in self.templates()], ["1"])
        form = self.send(data, target=f"{TEMPLATES}/{self.name}:4/archive",
                         headers={"Content-Type": "multipart/form-data; boundary=x"})
        self.assertEqual((form.status, form.json()["code"]), (415, "unsupported_media_type"))

    def test_a_name_that_is_taken_is_said_before_the_archive_is_sent(self):
        self.assertEqual(self.send(self.archive()).status, 201)
        head = f"POST {self.target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n"
        self.refused(self.daemon.exchange(head.encode()), 409, "template_exists", "/version")

    def test_a_client_that_leaves_leaves_nothing(self):
        for length in (10 * MEBIBYTE, 5 * MEBIBYTE):
            connection = self.begin(length, os.urandom(4 * MEBIBYTE))
            eventually(lambda: sum(self.open_files()) >= 3 * MEBIBYTE, "what is on its way")
            self.assertEqual(self.left(), [])
            connection.close()
            eventually(lambda: not self.open_files(), "what is on its way")
        self.assertEqual(self.templates(), [])

    def test_a_daemon_that_is_killed_leaves_nothing(self):
        connection = self.begin(10 * MEBIBYTE, os.urandom(4 * MEBIBYTE))
        eventually(lambda: self.open_files(), "what is on its way")
        # What a daemon leaves that is killed before its file has no name any more.
        (self.daemon.state / "uploads" / ".0123456789abcdef").write_bytes(b"x")
        self.daemon.process.kill()
        self.daemon.process.wait()
        connection.close()
        self.daemon.start()
        self.assertEqual((self.templates(), self.left()), ([], []))

    def test_more_clients_than_are_served_are_told_so(self):
        held = [self.begin(MEBIBYTE, b"x" * 600_000) for _ in range(4)]
        eventually(lambda: len(self.open_files()) == 4, "what is on its way")
        refused = self.send(self.archive())
        self.assertEqual((refused.status, refused.json()["code"]), (503, "too_many_uploads"))
        for connection in held:
            connection.close()
        eventually(lambda: not self.open_files(), "what is on its way")
        self.assertEqual(self.send(self.archive()).status, 201)

    def test_one_that_is_larger_than_a_template_may_be_ends_when_it_is_known(self):
        connection = self.begin(1 << 30, os.urandom(19 * MEBIBYTE))
        eventually(lambda: sum(self.open_files()) >= 18 * MEBIBYTE, "most of it")
        connection.sendall(os.urandom(2 * MEBIBYTE))
        self.refused(read_response(connection), 422, "archive_too_large")
        connection.close()
        eventually(lambda: not self.open_files(), "nothing")

    def test_jaildctl_sends_its_standard_input(self):
        data = self.archive()
        done = jaildctl(self.daemon, "template", "import", f"{self.name}:7", "-", "--sha256",
                        hashlib.sha256(data).hexdigest(), "--private", "/opt/a", stdin=data)
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertIn(f"imported {self.name}:7: 12 entries", done.out)
        again = jaildctl(self.daemon, "template", "import", f"{self.name}:7", "-", stdin=data)
        self.assertEqual(again.code, 1)
        self.assertIn("there is a template", again.err)
        wrong = jaildctl(self.daemon, "template", "import", self.name, "-", "base.txz", stdin=data)
        self.assertEqual(wrong.code, 2)
        self.assertIn("is one archive", wrong.err)

    def test_the_same_key_makes_one_template(self):
        headers = {**WAIT, "Idempotency-Key": "k-1"}
        first = self.send(self.archive(), headers=headers)
        again = self.send(self.archive(), headers=headers)
        self.assertEqual((first.status, again.status), (201, 201), again.body)
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
