"""Jails whose roots are made from a template."""

from archives import base, write
from harness import ApiTest, needs_root

TEMPLATES = "/v1/templates"
WAIT = {"Prefer": "wait=60"}


@needs_root
class TemplateRoots(ApiTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = write(cls.daemon.directory / "roots.tar", base(), "")
        for version in ("1", "2"):
            answer = cls.daemon.request("POST", TEMPLATES, {"name": "roots", "version": version,
                                                            "sets": [{"file": str(path)}]}, WAIT)
            if answer.status != 201:
                cls.tearDownClass()
                raise AssertionError(answer.body)

    def test_a_jail_is_made_of_one_version_and_keeps_it(self):
        for kind in ("thin", "copy"):
            with self.subTest(kind):
                made = self.daemon.make(f"r-{kind}", template="roots:1", root={"kind": kind})
                self.assertEqual((made["spec"]["template"], made["spec"]["root"]), ("roots:1", {"kind": kind}))
                self.assertEqual(made["status"]["state"], "running")
                changed = self.daemon.request("PATCH", f"/v1/jails/r-{kind}", {"template": "roots", "labels": {"a": "b"}})
                self.assertEqual(changed.json()["spec"]["template"], "roots:1", changed.body)
                self.refused(self.daemon.request("DELETE", f"{TEMPLATES}/roots:1", headers=WAIT), 409, "template_in_use")
                gone = self.daemon.request("DELETE", f"/v1/jails/r-{kind}?force=true", headers=WAIT)
                self.assertEqual(gone.status, 204, gone.body)

    def test_the_latest_version_is_what_a_name_alone_means(self):
        made = self.daemon.make("r-latest", template="roots", root={"kind": "copy"}, running=False)
        self.assertEqual(made["spec"]["template"], "roots:2")

    def test_the_kind_of_a_root_is_fixed(self):
        self.daemon.make("r-fixed", template="roots:2", root={"kind": "copy"}, running=False)
        answer = self.daemon.request("PATCH", "/v1/jails/r-fixed", {"root": {"kind": "thin"}})
        self.refused(answer, 422, "immutable_field", "/root")

    def test_a_quota_of_a_root_needs_zfs(self):
        for field, value in (("quota", "10G"), ("reservation", 1 << 30), ("compression", "zstd")):
            answer = self.daemon.request("POST", "/v1/jails", {"name": "r-quota", "root": {field: value}})
            problem = self.refused(answer, 422, "storage_unsupported", f"/root/{field}")
            self.assertIn("ZFS", problem["detail"])
        self.daemon.make("r-quota", running=False)
        answer = self.daemon.request("PATCH", "/v1/jails/r-quota", {"root": {"quota": "10G"}})
        self.refused(answer, 422, "storage_unsupported", "/root/quota")

    def test_a_clone_needs_zfs(self):
        answer = self.daemon.request("POST", "/v1/jails", {"name": "r-clone", "template": "roots:2",
                                                           "root": {"kind": "clone"}})
        problem = self.refused(answer, 422, "unsupported_root_kind", "/root/kind")
        self.assertIn("copy", problem["remedy"])
