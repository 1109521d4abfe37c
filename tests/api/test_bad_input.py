"""What no client should send: each has its status and code, and the daemon goes on."""

import json
import os
import tempfile

import contract
from harness import ApiTest


class Specs(ApiTest):
    def post(self, body, status, code, field=None):
        self.refused(self.daemon.request("POST", "/v1/jails", body), status, code, field)
        if isinstance(body, dict):
            self.refused(self.daemon.request("POST", "/v1/jails?dry_run=true", body), status, code, field)

    def forbidden(self, body, code, field):
        """Refused, and the document says that it would be."""
        self.post(body, 422, code, field)
        self.assertTrue(contract.errors(contract.request_schema("POST", "/v1/jails"), body), body)

    def test_unknown_fields(self):
        for extra, field in (({"naem": "x"}, "/naem"), ({"exec": {"begin": []}}, "/exec/begin"),
                             ({"root": {"kind": "thin", "size": 1}}, "/root/size"),
                             ({"network": {"interfaces": [{"vlan": 1}]}}, "/network/interfaces/0/vlan"),
                             ({"a/b~c": 1}, "/a~1b~0c"), ({"id": 1}, "/id"), ({"status": {}}, "/status")):
            self.forbidden({"name": "x", **extra}, "unknown_field", field)

    def test_wrong_types(self):
        for extra, field in (({"running": "yes"}, "/running"), ({"running": 1}, "/running"),
                             ({"hostname": 5}, "/hostname"), ({"exec": []}, "/exec"), ({"command": "ls -l"}, "/command"),
                             ({"command": ["ls", 1]}, "/command/1"), ({"labels": {"a": 1}}, "/labels/a"),
                             ({"exec": {"timeout": "60"}}, "/exec/timeout"), ({"network": "none"}, "/network"),
                             ({"root": "thin"}, "/root"), ({"template": 1}, "/template")):
            self.forbidden({"name": "x", **extra}, "wrong_type", field)
        self.post([], 422, "wrong_type")
        self.post("x", 422, "wrong_type")
        self.post({"name": 5}, 422, "wrong_type", "/name")
        self.post({}, 422, "missing_field", "/name")

    def test_names(self):
        for name in ("../etc", "a;reboot", "a\nb", "12345", "", "-a", "a.b", "a b", "x" * 64, "x" * 65536, "ä", "a/b",
                     "$(id)", "a\u0000b", "..", "_a"):
            self.forbidden({"name": name}, "invalid_name", "/name")

    def test_names_in_a_path(self):
        for segment in ("..%2fetc", "a%3breboot", "a%0ab", "12345", "-a", "a.b", "%24(id)", "x" * 64, "%c3%a4", "a%00b"):
            for method, rest, body in (("GET", "", None), ("PUT", "", {}), ("PATCH", "", {}), ("DELETE", "", None),
                                       ("GET", "/plan", None), ("POST", "/restart", None), ("GET", "/logs", None),
                                       ("POST", "/exec", {"argv": ["true"]})):
                answer = self.daemon.request(method, f"/v1/jails/{segment}{rest}", body)
                self.refused(answer, 422, "invalid_name")
        for kind in ("templates", "networks"):
            self.refused(self.daemon.request("GET", f"/v1/{kind}/a.b"), 422, "invalid_name")

    def test_a_name_that_is_taken(self):
        self.daemon.make("Taken", running=False)
        self.post({"name": "Taken"}, 409, "name_in_use")
        self.post({"name": "tAKEN"}, 409, "name_in_use")
        self.assertEqual(self.daemon.request("GET", "/v1/jails/taken").json()["name"], "Taken")

    def test_what_is_not_there(self):
        self.post({"name": "x", "template": "missing"}, 422, "template_unknown", "/template")
        self.post({"name": "x", "network": {"interfaces": [{"network": "missing"}]}}, 422, "network_not_found",
                  "/network/interfaces/0/network")
        for target in ("/v1/jails/nobody", "/v1/jails/nobody/plan", "/v1/jails/nobody/logs"):
            self.refused(self.daemon.request("GET", target), 404, "jail_not_found")
        self.refused(self.daemon.request("PATCH", "/v1/jails/nobody", {}), 404, "jail_not_found")
        self.refused(self.daemon.request("DELETE", "/v1/jails/nobody"), 404, "jail_not_found")
        self.refused(self.daemon.request("GET", "/v1/templates/nobody"), 404, "template_not_found")
        self.refused(self.daemon.request("GET", "/v1/networks/nobody"), 404, "network_not_found")

    def test_operations_that_are_none(self):
        for name in ("0123456789abcdef", "nothing", "..%2f..", "%00", "x" * 4000):
            for method in ("GET", "DELETE"):
                self.refused(self.daemon.request(method, f"/v1/operations/{name}"), 404, "operation_not_found")

    def test_paths(self):
        def root(path, **more):
            return {"name": "x", "root": {"kind": "path", "path": path}, **more}

        for path in ("/", "relative", "/a//b", "/a/../etc", "/a/", "", "/a/./b", "//"):
            self.post(root(path), 422, "invalid_path", "/root/path")
        self.post({"name": "x", "root": {"kind": "path"}}, 422, "missing_field", "/root/path")
        self.post({"name": "x", "root": {"kind": "thin", "path": "/tmp"}}, 422, "path_without_path_root", "/root/path")
        self.post(root("/tmp\u0000"), 422, "invalid_value", "/root/path")
        self.post(root("/" + "x" * 2000), 422, "too_long", "/root/path")
        self.post(root("/missing/directory"), 422, "root_path_missing", "/root/path")
        for path in (str(self.daemon.state), str(self.daemon.state / "jails"), str(self.daemon.directory)):
            self.post(root(path), 422, "path_refused" if self.on_linux() else "root_path_forbidden", "/root/path")

    def test_the_same_path_twice(self):
        with tempfile.TemporaryDirectory(prefix="jaild-api-root-") as directory:
            for point in ("proc", "dev", "sys"):
                os.mkdir(os.path.join(directory, point))
            self.daemon.make("first", running=False, root={"kind": "path", "path": directory})
            self.post({"name": "second", "root": {"kind": "path", "path": directory}}, 409, "path_in_use", "/root/path")
            # Another spelling of it is the same directory.
            link = directory + "-link"
            os.symlink(directory, link)
            try:
                answer = self.daemon.request("POST", "/v1/jails", {"name": "second", "root": {"kind": "path", "path": link}})
                self.assertIn(answer.status, (409, 422), answer.body)
            finally:
                os.unlink(link)
            self.daemon.delete("first")

    def test_addresses(self):
        def with_addresses(*addresses):
            return {"name": "x", "network": {"interfaces": [{"addresses": list(addresses)}]}}

        at = "/network/interfaces/0/addresses/0"
        self.post(with_addresses("10.0.0.300/24"), 422, "invalid_address", at)
        self.post(with_addresses("10.0.0.1/99"), 422, "invalid_prefix", at)
        self.post(with_addresses("203.0.113.5/24"), 422, "address_outside", at)
        subnet = self.daemon.request("GET", "/v1/networks/default").json()["spec"]["ipv4"]
        base, _, length = subnet.partition("/")
        at_77 = base.rsplit(".", 1)[0] + ".77/" + length
        self.daemon.make("at-77", **{key: value for key, value in with_addresses(at_77).items() if key != "name"})
        self.post(with_addresses(at_77), 409, "address_in_use", at)

    def test_roots_that_the_host_cannot_be(self):
        for kind in ("copy", "clone"):
            problem = self.refused(self.daemon.request("POST", "/v1/jails", {"name": "x", "root": {"kind": kind}}), 422,
                                   "host_is_thin_only")
            self.assertEqual(problem["field"], "/root/kind")
            self.assertTrue(problem["remedy"])

    def test_what_is_fixed(self):
        self.daemon.make("fixed", running=False)
        for patch, field in (({"name": "other"}, "/name"), ({"root": {"kind": "path", "path": "/srv"}, "template": None}, "/template")):
            self.refused(self.daemon.request("PATCH", "/v1/jails/fixed", patch), 422, "immutable_field", field)
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/fixed", [1]).code, "wrong_type")
        self.assertEqual(self.daemon.request("PATCH", "/v1/jails/fixed", {"running": None}).status, 202)


class Bodies(ApiTest):
    def post(self, data, status, code, **headers):
        return self.refused(self.daemon.request("POST", "/v1/jails", data, headers), status, code)

    def test_what_is_no_json(self):
        for data in (b"", b"{", b"{'name':'x'}", b'{"name":"x",}', b'{"name":"x"} {}', b"nul", b'{"name":"\\ud800"}',
                     b'{"a":1e999}', b'{"name":"x\ny"}', b"\xef\xbb\xbf", b'{"name": NaN}'):
            self.post(data, 400, "malformed_json")

    def test_what_is_no_utf8(self):
        for data in (b'{"name":"\xff"}', b'{"name":"\xc3"}', b'{"name":"\xed\xa0\x80"}', b'{"\xc0\xae":1}', b"\xfe\xff\x00{"):
            self.post(data, 400, "invalid_utf8")

    def test_nesting(self):
        self.post(b"[" * 10000 + b"]" * 10000, 400, "json_too_deep")
        self.post(b'{"a":' * 10000 + b"1" + b"}" * 10000, 400, "json_too_deep")
        self.post(b"[" * 65, 400, "json_too_deep")
        self.post(b"[" * 64 + b"]" * 64, 422, "wrong_type")

    def test_the_same_key_twice(self):
        self.post(b'{"name":"x","name":"y"}', 400, "duplicate_key")
        self.post(b'{"name":"x","exec":{"user":"a","user":"b"}}', 400, "duplicate_key")
        self.post(b'{"name":"x","n\\u0061me":"y"}', 400, "duplicate_key")

    def test_size(self):
        large = json.dumps({"name": "x", "hostname": "h" * (1024 * 1024)}).encode()
        self.post(large, 413, "body_too_large")
        fits = json.dumps({"name": "x", "hostname": "h" * (1024 * 1024 - 100)}).encode()
        self.post(fits, 422, "too_long")

    def test_content_types(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "",
                     "application/json; charset=latin-1", "application/merge-patch+json"):
            self.post(b'{"name":"x"}', 415, "unsupported_media_type", **{"Content-Type": kind})
        self.post(b'{"name":"x"}', 415, "unsupported_media_type",
                  **{"Content-Type": "application/json", "Content-Encoding": "gzip"})

    def test_a_body_where_none_belongs(self):
        self.refused(self.daemon.request("GET", "/v1/jails", {}), 400, "unexpected_body")
        self.refused(self.daemon.request("DELETE", "/v1/jails/x", {}), 400, "unexpected_body")


class Paths(ApiTest):
    def test_nothing_there(self):
        for target in ("/", "/v1", "/v1/", "/v1/jails/", "/v1/jails/x/", "/v2/jails", "/V1/jails", "//v1/jails",
                       "/v1/jails/x/plan/more", "/v1/jails/../jails", "/etc/passwd", "/v1%2fjails", "/openapi.yaml"):
            self.refused(self.daemon.request("GET", target), 404, "route_not_found")

    def test_methods(self):
        for method, target, allowed in (("POST", "/v1/host", "GET, HEAD, OPTIONS"),
                                        ("PUT", "/v1/jails", "GET, HEAD, OPTIONS, POST"),
                                        ("GET", "/v1/jails/x/kill", "OPTIONS, POST"),
                                        ("BREW", "/v1/jails/x", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
                                        ("TRACE", "/v1/events", "GET, HEAD, OPTIONS")):
            answer = self.daemon.request(method, target)
            self.refused(answer, 405, "method_not_allowed")
            self.assertEqual(answer.headers["Allow"], allowed)

    def test_options_and_head(self):
        answer = self.daemon.request("OPTIONS", "/v1/jails")
        self.assertEqual((answer.status, answer.headers["Allow"]), (204, "GET, HEAD, OPTIONS, POST"))
        self.refused(self.daemon.request("OPTIONS", "/v1/nothing"), 404, "route_not_found")
        self.assertEqual(self.daemon.request("OPTIONS", "*").status, 204)
        get = self.daemon.request("GET", "/v1/host")
        head = self.daemon.request("HEAD", "/v1/host")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Length"], get.headers["Content-Length"])
        self.refused(self.daemon.request("GET", "/v1/jails/nobody"), 404, "jail_not_found")
        self.assertEqual(self.daemon.request("HEAD", "/v1/jails/nobody").status, 404)

    def test_targets(self):
        for target in ("/v1/%zz", "/v1/%", "/v1/%4", "/v1/jails?limit=%g1", "/v1/jails#top", "/v1/jails?a=<b>",
                       "/v1/\\jails", "v1/jails", "https://localhost/v1/jails"):
            answer = self.daemon.exchange(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.refused(answer, 400, "bad_target")
        for target in ("/v1/%ff", "/v1/jails?label=%c3"):
            self.refused(self.daemon.request("GET", target), 400, "invalid_utf8")

    def test_every_answer_forbids_keeping_and_guessing(self):
        for target in ("/v1/jails", "/nothing", "/healthz"):
            headers = self.daemon.request("GET", target).headers
            self.assertEqual((headers["Cache-Control"], headers["X-Content-Type-Options"]), ("no-store", "nosniff"))
            self.assertTrue(headers["Date"])
