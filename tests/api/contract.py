"""openapi/jaild.yaml as the judge of every answer."""

import functools
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "openapi" / "jaild.yaml"
METHODS = ("get", "put", "post", "delete", "patch")


@functools.cache
def document():
    with open(DOCUMENT, encoding="utf-8") as file:
        return yaml.safe_load(file)


def resolve(value):
    while "$ref" in value:
        target = document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


@functools.cache
def patterns():
    found = []
    for path in document()["paths"]:
        expression = re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(path))
        found.append((re.compile(expression + "$"), path))
    return found


def path_of(target):
    plain = urllib.parse.urlsplit(target).path
    for expression, path in patterns():
        if expression.match(plain):
            return path
    return None


def errors(schema, value):
    resolver = jsonschema.RefResolver.from_schema(document())
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(value)]


def operation(method, target):
    path = path_of(target)
    if path is None:
        return None
    return document()["paths"][path].get("get" if method == "HEAD" else method.lower())


def request_schema(method, target, media_type="application/json"):
    body = operation(method, target).get("requestBody")
    return body["content"][media_type]["schema"] if body else None


def check(method, target, body, answer):
    """An answer that the document does not describe is an AssertionError. What no route answers is no route's."""
    described = operation(method, target)
    if described is None:
        return
    response = described["responses"].get(str(answer.status))
    if response is None:
        raise AssertionError(f"{method} {target}: status {answer.status} is not in the document: {answer.body[:500]}")
    response = resolve(response)
    check_headers(f"{method} {target} {answer.status}", response, answer)
    if method == "HEAD" or "content" not in response:
        if answer.body:
            raise AssertionError(f"{method} {target} {answer.status}: a body that must not be there")
        return
    media_type = answer.headers["Content-Type"].split(";")[0]
    content = response["content"].get(media_type)
    if content is None:
        raise AssertionError(f"{method} {target} {answer.status}: content type {media_type} is not in the document")
    if "json" not in media_type:
        return
    found = errors(content["schema"], answer.json())
    if found:
        raise AssertionError(f"{method} {target} {answer.status}: {found}\n{answer.body[:2000]}")
    # What was accepted must be what the document says may be sent.
    schema = request_schema(method, target) if isinstance(body, (dict, list)) and answer.status < 300 else None
    if schema:
        found = errors(schema, body)
        if found:
            raise AssertionError(f"{method} {target} accepted a body that the document forbids: {found}")


def check_headers(what, response, answer):
    described = {name.lower() for name in response.get("headers", {})}
    for name in ("ETag", "Location", "Link", "Preference-Applied", "Idempotency-Replayed", "Retry-After",
                 "WWW-Authenticate"):
        if answer.headers[name] is None:
            continue
        if name.lower() not in described:
            raise AssertionError(f"{what}: the field {name} is not in the document")
        schema = resolve(response["headers"][name]).get("schema", {})
        if "pattern" in schema and not re.search(schema["pattern"], answer.headers[name]):
            raise AssertionError(f"{what}: {name}: {answer.headers[name]}")
