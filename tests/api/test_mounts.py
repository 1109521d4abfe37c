"""What a spec may mount, and who may ask for it. What mounts do is the host tests' to show."""

import tempfile
import unittest

from harness import TOKENS, ApiTest, Daemon, Settings, bearer


def mounting(*mounts):
    return {"name": "x", "running": False, "mounts": list(mounts)}


class Written(ApiTest):
    def post(self, mount, code, field, status=422):
        for target in ("/v1/jails", "/v1/jails?dry_run=true"):
            self.refused(self.daemon.request("POST", target, mounting(mount)), status, code, "/mounts/0" + field)

    def test_what_cannot_be_mounted_is_refused_with_its_field(self):
        self.post({"source": "/missing/data", "target": "/data"}, "mount_source_missing", "/source")
        self.post({"source": "data", "target": "/data"}, "invalid_path", "/source")
        self.post({"source": "/", "target": "/data"}, "invalid_path", "/source")
        self.post({"target": "/data"}, "missing_field", "/source")
        self.post({"source": "/usr"}, "missing_field", "/target")
        self.post({"source": "/usr", "target": "/dev/x"}, "invalid_value", "/target")
        self.post({"source": "/usr", "target": "/x", "options": ["rw"]}, "invalid_value", "/options/0")
        self.post({"source": "/usr", "target": "/x", "size": "1M"}, "field_not_applicable", "/size")
        self.post({"type": "tmpfs", "target": "/x", "size": "1K"}, "invalid_value", "/size")
        self.post({"type": "ext4", "target": "/x"}, "invalid_value", "/type")
        if self.on_linux():
            self.post({"type": "procfs", "target": "/x"}, "unsupported_mount_type", "/type")
            self.post({"source": "/usr", "target": "/proc/x"}, "mount_target_refused", "/target")
            self.post({"source": str(self.daemon.state), "target": "/x"}, "mount_source_refused", "/source")
            self.post({"source": str(self.daemon.directory), "target": "/x"}, "mount_source_refused", "/source")

    def test_a_mount_is_shown_as_it_was_asked_for(self):
        tmpfs = {"type": "tmpfs", "target": "/cache", "size": 1 << 20, "options": ["noexec"]}
        bind = {"source": "/usr", "target": "/data", "options": ["ro", "nosuid"]}
        self.daemon.make("shown", running=False, mounts=[bind, tmpfs])
        spec = self.daemon.request("GET", "/v1/jails/shown").json()["spec"]
        self.assertEqual(spec["mounts"], [{"type": "nullfs", **bind}, {**tmpfs, "size": "1M"}])
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/shown", {"mounts": None}).status, 202)
        self.assertEqual(self.daemon.request("GET", "/v1/jails/shown").json()["spec"]["mounts"], [])


@unittest.skipIf(Settings.kernel == "linux", "tokens are for TCP, and the daemon has a network of its own")
class Roles(ApiTest):
    tcp = True

    def ask(self, daemon, role, method, target, body):
        return daemon.request(method, target, body, headers=bearer(TOKENS[role]), tcp=True)

    def test_directories_of_the_host_are_for_admins(self):
        bind = {"source": "/usr", "target": "/data"}
        self.refused(self.ask(self.daemon, "operator", "POST", "/v1/jails", mounting(bind)), 403, "role_too_low")
        tmpfs = mounting({"type": "tmpfs", "target": "/t"})
        self.assertEqual(self.ask(self.daemon, "operator", "POST", "/v1/jails", tmpfs).status, 202)
        self.refused(self.ask(self.daemon, "operator", "PATCH", "/v1/jails/x", {"mounts": [bind]}), 403, "role_too_low")
        self.assertEqual(self.ask(self.daemon, "admin", "PATCH", "/v1/jails/x", {"mounts": [bind]}).status, 202)
        # What an admin chose stays when an operator changes something else.
        more = {"mounts": [bind, *tmpfs["mounts"]]}
        self.assertEqual(self.ask(self.daemon, "operator", "PATCH", "/v1/jails/x", more).status, 202)

    def test_what_the_configuration_lists_is_for_operators_too_and_nothing_else_for_anybody(self):
        with tempfile.TemporaryDirectory() as listed:
            daemon = Daemon(tcp=True, config=[f'mount_sources = ["{listed}"]'])
            self.addCleanup(daemon.remove)
            allowed = mounting({"source": listed, "target": "/data"})
            self.assertEqual(self.ask(daemon, "operator", "POST", "/v1/jails", allowed).status, 202)
            for other in ("/usr", listed + "-not"):
                refused = mounting({"source": other, "target": "/data"})
                refused["name"] = "y"
                answer = self.ask(daemon, "admin", "POST", "/v1/jails", refused)
                self.refused(answer, 403, "mount_source_not_allowed", "/mounts/0/source")
