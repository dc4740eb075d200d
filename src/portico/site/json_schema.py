"""The JSON schema of portico.toml for editors, generated from the declaration of the options."""

from __future__ import annotations

from typing import Any

import msgspec

from portico.site.keys import LIST, Key, keys, purpose, sections, table_keys
from portico.site.options.access import Access
from portico.site.options.edge import Edge
from portico.site.options.route import Route


def json_schema() -> dict[str, Any]:
    """A JSON schema (2020-12) of portico.toml."""
    top: dict[str, Any] = {key.name: _leaf(key) for key in keys() if "." not in key.name}
    for name, section in sections().items():
        inner = {
            key.name.removeprefix(f"{name}."): _leaf(key) for key in keys() if key.name.startswith(f"{name}.")
        }
        table = {"type": "object", "additionalProperties": False, "properties": inner}
        top[name] = {
            "description": purpose(section),
            "anyOf": [table, inner[section.shorthand]],
        }
    top |= {name: _tables(name, struct) for name, struct in (("access", Access), ("routes", Edge))}
    rules = _tables(LIST, Route)
    top[LIST] = {"description": rules["description"], "type": "array", "items": rules["additionalProperties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "portico.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": top,
    }


def _tables(name: str, struct: type[Access | Route]) -> dict[str, Any]:
    return {
        "description": purpose(struct),
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {key.name: _leaf(key) for key in table_keys()[name]},
        },
    }


def _leaf(key: Key) -> dict[str, Any]:
    schema: dict[str, Any] = (
        {"type": "string"} if hasattr(key.type, "parse") else msgspec.json.schema(key.type)
    )
    schema["description"] = key.help
    schema["examples"] = [key.example]
    if key.is_list:
        schema = {**schema, "type": ["array", "string"]}
    if key.default is not None:
        is_plain = type(key.default) in (bool, int, float, str, list, dict)
        schema["default"] = key.default if is_plain else str(key.default)
    return schema
