"""The host, templates, networks, readiness, and the document itself."""

import json

import jsonschema
import yaml

import contract
from harness import ApiTest, Settings


class Host(ApiTest):
    def test_facts(self):
        host = self.daemon.request("GET", "/v1/host").json()
        self.assertEqual(host["kernel_driver"], Settings.kernel)
        before = host["jails"]
        self.daemon.make(self.name)
        host = self.daemon.request("GET", "/v1/host").json()
        self.assertEqual(host["jails"], before + 1)
        self.assertGreaterEqual(host["running"], 1)

    def test_templates(self):
        items = self.daemon.request("GET", "/v1/templates").json()["items"]
        self.assertEqual([item["name"] for item in items], ["host"])
        self.assertEqual(self.daemon.request("GET", "/v1/templates/host").json(), items[0])

    def test_networks(self):
        items = self.daemon.request("GET", "/v1/networks").json()["items"]
        self.assertEqual([item["name"] for item in items], ["default"])
        self.assertEqual(self.daemon.request("GET", "/v1/networks/default").json(), items[0])

    def test_probes(self):
        self.assertEqual(self.daemon.request("GET", "/healthz").json(), {"status": "ok"})
        self.assertEqual(self.daemon.request("GET", "/readyz").json(), {"status": "ready", "written_off": 0})


class Document(ApiTest):
    def test_it_is_served_as_it_is_written(self):
        served = self.daemon.request("GET", "/openapi.json").json()
        written = json.loads(json.dumps(contract.document()))
        version = served["info"].pop("version")
        written["info"].pop("version")
        self.assertEqual(served, written)
        self.assertEqual(self.daemon.request("GET", "/v1/host").json()["version"], version)

    def test_every_path_has_its_methods_and_no_others(self):
        for path, item in contract.document()["paths"].items():
            target = path.replace("{name}", "x").replace("{id}", "0123456789abcdef").replace("{snapshot}", "s")
            allowed = self.daemon.request("OPTIONS", target).headers["Allow"].split(", ")
            methods = {method.upper() for method in item if method in contract.METHODS}
            if "GET" in methods:
                methods.add("HEAD")
            self.assertEqual(set(allowed), methods | {"OPTIONS"}, path)

    def test_its_schemas_are_schemas_and_closed(self):
        for name, schema in contract.document()["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            if schema.get("type") == "object":
                self.assertIn("additionalProperties", schema, name)

    def test_every_reference_leads_somewhere(self):
        def walk(value):
            if isinstance(value, dict):
                if "$ref" in value:
                    contract.resolve(value)
                for inner in value.values():
                    walk(inner)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner)

        walk(contract.document())

    def test_every_field_of_a_spec_says_how_it_changes(self):
        schemas = contract.document()["components"]["schemas"]

        def leaves(schema, at):
            for name, field in schema["properties"].items():
                resolved = contract.resolve(field)
                if resolved.get("type") == "object" and "properties" in resolved and "x-jaild-change" not in field:
                    yield from leaves(resolved, f"{at}/{name}")
                else:
                    yield f"{at}/{name}", field.get("x-jaild-change")

        self.assertTrue(all(change in ("live", "restart", "immutable") for _, change in leaves(schemas["Spec"], "")),
                        list(leaves(schemas["Spec"], "")))
