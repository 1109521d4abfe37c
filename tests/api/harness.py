"""A jaild of its own for each test, a client that checks every answer against the contract, and raw sockets."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import contract

TOKENS = {"viewer": "viewer-token-0123456789", "operator": "operator-token-0123456789", "admin": "admin-token-0123456789"}
DEADLINE = 30.0


class Settings:
    """What the command line of run.py said."""

    binary = ""
    jaildctl = ""
    kernel = "memory"
    namespace = None  # of the network, for the linux kernel


def eventually(check, what, deadline=DEADLINE):
    """The first true value of check(); fails after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.02)


def children_named(parent, name):
    """The pids of a process's children of that name."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:  # it has ended
            continue
        if text[text.index("(") + 1:text.rindex(")")] == name and int(text[text.rindex(")") + 2:].split()[1]) == parent:
            found.append(int(status.parent.name))
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json()["code"]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Daemon:
    """A jaild with a state directory of its own, and the jails that are left in it removed at the end."""

    def __init__(self, tcp=False, options=(), start=True, config=(), memory=None):
        # Short: a UNIX socket's path holds about 100 bytes.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="jaild-api-"))
        self.directory.chmod(0o755)
        self.state = self.directory / "s"
        self.socket = self.directory / "sock"
        self.log = self.directory / "log"
        self.port = free_port() if tcp else None
        self.options = list(options)
        self.config = list(config)  # lines of jaild.toml, before its tables
        self.process = None
        self.memory = memory  # bytes of a file system of its own that the state directory is; nothing: the machine's
        if start:
            try:
                self.mount_memory()
                self.start()
            except BaseException:
                self.remove()
                raise

    def mount_memory(self):
        if self.memory:
            self.state.mkdir(mode=0o700)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.memory},mode=0700", "tmpfs", str(self.state)],
                           check=True)

    def command(self):
        config = self.directory / "jaild.toml"
        lines = list(self.config)
        if self.port:
            lines.append(f'listen = "127.0.0.1:{self.port}"')
            for role, value in TOKENS.items():
                lines += ["[[token]]", f'name = "{role}"', f'value = "{value}"', f'role = "{role}"']
        config.touch(mode=0o600)
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        inside = ["nsenter", f"--net=/run/netns/{Settings.namespace}", "--"] if Settings.namespace else []
        return [*inside, Settings.binary, "--config", str(config), "--state-dir", str(self.state), "--socket",
                str(self.socket), "--kernel", Settings.kernel, "--log-level", "debug", *self.options]

    def launch(self, failpoint=None):
        """Does not wait. `failpoint`: core/base/failpoint.h."""
        environment = {**os.environ, "JAILD_FAILPOINT": failpoint} if failpoint else None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment)

    def start(self, failpoint=None):
        self.launch(failpoint)
        eventually(self.is_ready, f"readyz of {self.directory}; log:\n{self.log_tail()}")

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"jaild ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            return self.request("GET", "/readyz").status == 200
        except OSError:
            return False

    def log_tail(self):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def stop(self):
        """SIGTERM, as a service manager does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE)

    def kill(self):
        """SIGKILL; start() begins another."""
        self.process.kill()
        self.process.wait()

    def remove(self):
        """Jails, process and directory."""
        try:
            if self.process and self.process.poll() is None:
                for jail in self.request("GET", "/v1/jails?limit=1000").json()["items"]:
                    answer = self.delete(jail["name"])
                    if answer.status not in (204, 404):
                        raise AssertionError(f"{jail['name']} cannot be removed: {answer.status} {answer.body}")
                code = self.stop()
                if code != 0:
                    raise AssertionError(f"jaild ended with {code}:\n{self.log_tail()}")
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            self.remove_directory()

    def remove_directory(self):
        """Never through a mount: what a jail left mounted may be the host's own."""
        if self.memory and os.path.ismount(self.state):
            subprocess.run(["umount", str(self.state)], check=True)
        mounts = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout.splitlines()
        mounted = [line for line in mounts if f" on {self.directory}/" in line]
        if mounted:
            raise AssertionError(f"left mounted: {mounted}")
        shutil.rmtree(self.directory, ignore_errors=True)

    def connection(self, tcp=False, timeout=DEADLINE):
        if tcp:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        return UnixConnection(self.socket, timeout)

    def request(self, method, target, body=None, headers=None, tcp=False, timeout=DEADLINE, check=True):
        """One request on a connection of its own. `body`: a value for JSON, or bytes as they are."""
        connection = self.connection(tcp, timeout)
        try:
            return ask(connection, method, target, body, headers, check)
        finally:
            connection.close()

    def raw(self, tcp=False, timeout=DEADLINE):
        made = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        made.settimeout(timeout)
        made.connect(("127.0.0.1", self.port) if tcp else str(self.socket))
        return made

    def exchange(self, data, tcp=False, timeout=DEADLINE):
        """Sends bytes as they are; the answer until the server closes, or one whole response."""
        with self.raw(tcp, timeout) as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent; the answer is there
            return read_response(connection)

    # What tests do all the time.

    def make(self, name, **spec):
        answer = self.request("POST", "/v1/jails", {"name": name, **spec}, {"Prefer": "wait=60"})
        if answer.status != 201:
            raise AssertionError(f"POST {name}: {answer.status} {answer.body}")
        return answer.json()

    def delete(self, name):
        return self.request("DELETE", f"/v1/jails/{name}?force=true", headers={"Prefer": "wait=60"})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def ask(connection, method, target, body=None, headers=None, check=True):
    headers = dict(headers or {})
    data = body
    if body is not None and not isinstance(body, bytes):
        data = json.dumps(body).encode()
    if data is not None:
        headers.setdefault("Content-Type", "application/json")
    connection.request(method, target, data, headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    if check:
        contract.check(method, target, body, answer)
    return answer


def read_response(connection):
    """One response with a Content-Length, or all until the end of the stream."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return parse_response(data)
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = None
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while length is not None and len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return parse_response(head + b"\r\n\r\n" + body)


def parse_response(data):
    if not data:
        return Answer(0, {}, b"")
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = http.client.HTTPMessage()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    return Answer(int(lines[0].split()[1]), headers, body)


class ApiTest(unittest.TestCase):
    """Tests of one class share a daemon, and each looks whether it is still the same process."""

    tcp = False
    daemon = None
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(tcp=cls.tcp)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.remove()

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1].replace("test_", "")[:50]

    def tearDown(self):
        self.assertIsNone(self.daemon.process.poll(), f"jaild ended:\n{self.daemon.log_tail()}")
        self.assertEqual(self.daemon.request("GET", "/healthz").status, 200)

    def refused(self, answer, status, code, field=None):
        """A problem with this status and code."""
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (status, "application/problem+json"),
                         answer.body[:500])
        problem = answer.json()
        self.assertEqual((problem["status"], problem["code"]), (status, code), problem)
        self.assertTrue(problem["detail"])
        if field is not None:
            self.assertEqual(problem.get("field"), field, problem)
        return problem

    def on_linux(self):
        return Settings.kernel == "linux"


def needs_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root: it changes its user")(test)
