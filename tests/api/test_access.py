"""Who may call: peers of the UNIX socket, tokens on TCP."""

import grp
import os
import stat
import subprocess
import sys
import unittest

from harness import TOKENS, ApiTest, Daemon, Settings, bearer, eventually, needs_root

NOBODY = 65534
PROBE = r"""
import os, socket, sys
path, uid, groups, request = sys.argv[1], int(sys.argv[2]), [int(g) for g in sys.argv[3].split(",") if g], sys.argv[4]
os.setgroups(groups)
os.setgid(65534)
os.setuid(uid)
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(path)
s.sendall(request.encode())
data = b""
while piece := s.recv(65536):
    data += piece
sys.stdout.buffer.write(data)
"""


class Peers(ApiTest):
    def as_user(self, uid, groups, method="GET", target="/v1/jails"):
        request = f"{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ran = subprocess.run([sys.executable, "-c", PROBE, str(self.daemon.socket), str(uid), ",".join(map(str, groups)),
                              request], capture_output=True, timeout=30, check=False)
        return ran.stdout.decode(), ran.stderr.decode()

    def test_the_socket_is_for_its_group_only(self):
        mode = stat.S_IMODE(os.stat(self.daemon.socket).st_mode)
        self.assertEqual(oct(mode), oct(0o660))

    @needs_root
    def test_others_are_refused(self):
        _, failed = self.as_user(NOBODY, [])
        self.assertIn("PermissionError", failed, "by the socket's mode")
        os.chmod(self.daemon.socket, 0o666)
        try:
            answered, _ = self.as_user(NOBODY, [])
        finally:
            os.chmod(self.daemon.socket, 0o660)
        self.assertTrue(answered.startswith("HTTP/1.1 403 "), answered)
        self.assertIn('"code":"peer_refused"', answered)
        self.assertNotIn("items", answered)

    @needs_root
    def test_members_of_the_group_are_operators(self):
        group = f"jailtest{os.getpid()}"
        pw = ["pw"] if sys.platform.startswith("freebsd") else []
        subprocess.run([*pw, "groupadd", group], check=True)
        config = None
        try:
            gid = grp.getgrnam(group).gr_gid
            daemon = Daemon(start=False)
            command = daemon.command()
            config = daemon.directory / "jaild.toml"
            config.write_text(config.read_text() + f'socket_group = "{group}"\n')
            daemon.command = lambda: command
            daemon.start()
            shared, self.daemon = self.daemon, daemon
            try:
                self.assertEqual(os.stat(daemon.socket).st_gid, gid)
                answered, _ = self.as_user(NOBODY, [gid])
                self.assertTrue(answered.startswith("HTTP/1.1 200 "), answered)
                # An operator is no admin: a directory of the host is nobody's root but an admin's.
                made, _ = self.as_user(NOBODY, [gid], "POST", "/v1/jails/x/restart")
                self.assertTrue(made.startswith("HTTP/1.1 404 "), made)
            finally:
                self.daemon = shared
                daemon.remove()
        finally:
            subprocess.run([*pw, "groupdel", group], check=True)


# On TCP a daemon of another network namespace cannot be reached from here.
@unittest.skipIf(Settings.kernel == "linux", "nothing of it knows a kernel")
class Tokens(ApiTest):
    tcp = True

    def get(self, headers, target="/v1/jails", method="GET", body=None):
        return self.daemon.request(method, target, body, headers, tcp=True)

    def test_without_and_with_a_wrong_one(self):
        for headers, code in (({}, "token_required"), ({"Authorization": "Basic YTpi"}, "token_required"),
                              ({"Authorization": "Bearer"}, "token_required"), (bearer("wrong"), "token_unknown"),
                              (bearer(TOKENS["admin"] + "x"), "token_unknown"), (bearer(TOKENS["admin"][:-1]), "token_unknown")):
            answer = self.get(headers)
            self.refused(answer, 401, code)
            self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        twice = (f"GET /v1/jails HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['admin']}\r\n"
                 f"Authorization: Bearer {TOKENS['admin']}\r\n\r\n").encode()
        self.refused(self.daemon.exchange(twice, tcp=True), 401, "token_required")
        # Without a token there is not even a 404.
        self.refused(self.get({}, "/v1/nothing"), 401, "token_required")

    def test_roles(self):
        for role in TOKENS:
            self.assertEqual(self.get(bearer(TOKENS[role])).status, 200)
        viewer, operator, admin = (bearer(TOKENS[role]) for role in ("viewer", "operator", "admin"))
        for method, target, body in (("POST", "/v1/jails", {"name": "x"}), ("PATCH", "/v1/jails/x", {}),
                                     ("PUT", "/v1/jails/x", {}), ("DELETE", "/v1/jails/x", None),
                                     ("POST", "/v1/jails/x/exec", {"argv": ["x"]}), ("POST", "/v1/jails/x/restart", None),
                                     ("DELETE", "/v1/operations/0123456789abcdef", None)):
            self.refused(self.get(viewer, target, method, body), 403, "role_too_low")
        path_root = {"name": "x", "root": {"kind": "path", "path": "/missing/directory"}}
        self.refused(self.get(operator, "/v1/jails", "POST", path_root), 403, "role_too_low")
        self.refused(self.get(admin, "/v1/jails", "POST", path_root), 422, "root_path_missing")
        ruleset = {"name": "x", "devfs_ruleset": 10}
        self.refused(self.get(operator, "/v1/jails", "POST", ruleset), 403, "role_too_low")
        self.assertEqual(self.get(operator, "/v1/jails", "POST", {"name": "by-token", "running": False}).status, 202)
        self.refused(self.get(operator, "/v1/jails/by-token", "PATCH", {"devfs_ruleset": 10}), 403, "role_too_low")
        for parameter in ({"allow.mount": True}, {"sysvshm": "inherit"}, {"enforce_statfs": 0}):
            looser = {"parameters": parameter}
            self.refused(self.get(operator, "/v1/jails", "POST", {"name": "x", **looser}), 403, "role_too_low")
            self.refused(self.get(operator, "/v1/jails/by-token", "PATCH", looser), 403, "role_too_low")

    def test_what_runs_on_the_host_is_for_admins(self):
        operator, admin = (bearer(TOKENS[role]) for role in ("operator", "admin"))

        def refused(answer, hook):
            self.refused(answer, 403, "role_too_low")
            self.assertEqual(answer.json()["field"], f"/exec/{hook}")

        get = self.get
        self.assertEqual(get(operator, "/v1/jails", "POST", {"name": "plain", "running": False}).status, 202)
        for hook in ("prestart", "created", "poststart", "prestop", "poststop"):
            hooked = {"exec": {hook: ["/bin/true"]}}
            refused(get(operator, "/v1/jails", "POST", {"name": "x", **hooked}), hook)
            refused(get(operator, "/v1/jails?dry_run=true", "POST", {"name": "x", **hooked}), hook)
            refused(get(operator, "/v1/jails/x", "PUT", hooked), hook)
            refused(get(operator, "/v1/jails/plain", "PATCH", hooked), hook)
            refused(get(operator, "/v1/pools", "POST", {"name": "p", "size": 0, "jail": hooked}), hook)
        hooks = {"prestart": ["logger", "up"], "poststop": ["/bin/true"]}
        self.assertEqual(get(admin, "/v1/jails", "POST", {"name": "hooked", "running": False, "exec": hooks}).status, 202)
        # What an admin chose an operator keeps, and neither changes nor takes away.
        self.assertEqual(get(operator, "/v1/jails/hooked", "PATCH", {"hostname": "x"}).status, 202)
        refused(get(operator, "/v1/jails/hooked", "PATCH", {"exec": {"prestart": ["logger", "down"]}}), "prestart")
        refused(get(operator, "/v1/jails/hooked", "PATCH", {"exec": {"poststop": None}}), "poststop")
        refused(get(operator, "/v1/jails/hooked", "PATCH", {"exec": None}), "prestart")
        etag = get(operator, "/v1/jails/hooked").headers["ETag"]
        refused(get({**operator, "If-Match": etag}, "/v1/jails/hooked", "PUT", {"running": False}), "prestart")
        self.assertEqual(get(admin, "/v1/jails/hooked").json()["spec"]["exec"]["prestart"], ["logger", "up"])
        relative = get(admin, "/v1/jails/hooked", "PATCH", {"exec": {"prestart": ["bin/true"]}})
        self.refused(relative, 422, "invalid_value")
        self.assertEqual(relative.json()["field"], "/exec/prestart/0")

    def test_the_network_stack_of_the_host_is_for_admins(self):
        operator, admin = (bearer(TOKENS[role]) for role in ("operator", "admin"))
        shared = {"network": {"mode": "inherit"}}
        self.refused(self.get(operator, "/v1/jails", "POST", {"name": "x", **shared}), 403, "role_too_low")
        self.assertEqual(self.get(operator, "/v1/jails", "POST", {"name": "shared", "running": False}).status, 202)
        self.refused(self.get(operator, "/v1/jails/shared", "PATCH", shared), 403, "role_too_low")
        self.assertEqual(self.get(admin, "/v1/jails/shared", "PATCH", shared).status, 202)
        def on(address):
            return {"network": {"mode": "alias", "interfaces": [{"interface": "lo1", "addresses": [address]}]}}

        self.refused(self.get(operator, "/v1/jails", "POST", {"name": "x", **on("127.0.2.1")}), 403, "role_too_low")
        self.assertEqual(self.get(admin, "/v1/jails/shared", "PATCH", on("127.0.2.1")).status, 202)
        self.refused(self.get(operator, "/v1/jails/shared", "PATCH", on("127.0.2.2")), 403, "role_too_low")
        # What an admin chose, an operator keeps.
        self.assertEqual(self.get(operator, "/v1/jails/shared", "PATCH", {"hostname": "x"}).status, 202)

    def test_jaildctl_from_afar(self):
        def far(*arguments, token=TOKENS["operator"]):
            command = [Settings.jaildctl, "--host", f"http://127.0.0.1:{self.daemon.port}", *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                                  env={**os.environ, "JAILD_TOKEN": token})

        self.assertEqual(far("create", "far", "--network", "none").returncode, 0)
        ran = far("exec", "far", "--", "echo", "hello")
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "hello\n", ""))
        self.assertIn("far", far("ls", token=TOKENS["viewer"]).stdout)
        self.assertEqual(far("rm", "-f", "far").returncode, 0)
        refused = far("ls", token="wrong")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("token", refused.stderr)

    def test_probes_need_none(self):
        self.assertEqual(self.get({}, "/healthz").status, 200)
        self.assertEqual(self.get({}, "/readyz").status, 200)

    def test_the_scheme_has_no_case(self):
        self.assertEqual(self.get({"Authorization": f"bEARER  {TOKENS['viewer']}"}).status, 200)

    def test_a_name_of_somebody_else(self):
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "128.0.0.1", "[::2]"):
            request = (f"GET /v1/jails HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKENS['admin']}\r\n\r\n").encode()
            self.refused(self.daemon.exchange(request, tcp=True), 421, "host_not_allowed")
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:8080", "[::1]:1"):
            request = (f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").encode()
            self.assertEqual(self.daemon.exchange(request, tcp=True).status, 200, host)
        absolute = (f"GET http://evil.example/v1/jails HTTP/1.1\r\nHost: localhost\r\n"
                    f"Authorization: Bearer {TOKENS['admin']}\r\n\r\n").encode()
        self.refused(self.daemon.exchange(absolute, tcp=True), 421, "host_not_allowed")

    def test_strangers_take_no_place_on_the_socket(self):
        held = []
        try:
            for _ in range(600):
                held.append(self.daemon.raw(tcp=True))
            self.assertEqual(self.daemon.request("GET", "/v1/jails").status, 200)
        finally:
            for connection in held:
                connection.close()
        eventually(lambda: self.daemon.request("GET", "/healthz", tcp=True, check=False).status == 200, "served again")

    def test_tokens_are_nowhere_to_be_read(self):
        self.get(bearer(TOKENS["admin"]), "/v1/host")
        self.assertNotIn(TOKENS["admin"], self.daemon.log.read_text())


class Listening(unittest.TestCase):
    """What a daemon refuses to listen on: it says why, and ends."""

    def ends(self, options=(), tokens=True, change=None):
        daemon = Daemon(start=False, options=options)
        try:
            if tokens:
                daemon.port = 1
            command = daemon.command()
            if tokens:
                config = daemon.directory / "jaild.toml"
                config.write_text("\n".join(line for line in config.read_text().splitlines() if "listen" not in line))
            if change:
                command = change(daemon, command)
            ran = subprocess.run(command, capture_output=True, timeout=30, check=False)
            self.assertNotEqual(ran.returncode, 0)
            return ran.stderr.decode() + ran.stdout.decode()
        finally:
            daemon.process = None
            daemon.remove()

    def test_beyond_loopback(self):
        for address in ("0.0.0.0:0", "192.0.2.1:80", "[::]:0", "[2001:db8::1]:80", "128.0.0.1:80"):
            self.assertIn("TLS", self.ends(["--listen", address]))

    def test_without_a_token(self):
        self.assertIn("token", self.ends(["--listen", "127.0.0.1:0"], tokens=False))

    def test_what_is_no_address(self):
        for address in ("example.org:80", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:70000", ":80", "[::1:80"):
            self.ends(["--listen", address])

    def test_paths_of_the_socket(self):
        def long_path(daemon, command):
            command[command.index("--socket") + 1] = str(daemon.directory / ("x" * 120))
            return command

        def a_file(daemon, command):
            daemon.socket.write_text("precious")
            return command

        self.assertIn("path", self.ends(change=long_path))
        self.assertIn("no socket", self.ends(change=a_file))
