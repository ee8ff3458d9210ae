"""Manifests of trusted documents, as the build tools of clients write them.

graphql-codegen (client preset) and Relay write an object of texts by id. Apollo's manifest
(`apollo-persisted-query-manifest`, version 1) has a list of operations, each with `id` and `body`.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse

from app.transport.parameters import MAX_ID_CHARS, SHA256

APOLLO, APOLLO_VERSION = "apollo-persisted-query-manifest", 1
EXPECTED = "give a manifest of graphql-codegen, Apollo or Relay"


class InvalidManifests(Exception):
    """Manifests that cannot be used; one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(f"TRUSTED_DOCUMENTS: {problem}" for problem in problems))
        self.problems = problems


def read_manifests(path: Path) -> dict[str, str]:
    """The texts of the manifest at `path`, or of all `.json` files in that directory, by id.

    A `sha256:` prefix is left away, as it is in requests. Raises InvalidManifests with every problem.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    texts: dict[str, str] = {}
    problems = [] if files else [f"{path} has no .json file; {EXPECTED}"]
    for file in files:
        try:
            for key, text in _entries(json.loads(file.read_bytes())):
                problems += [f"{file}: {problem}" for problem in _problems(key, text, texts)]
                texts[key.removeprefix(SHA256)] = text
        except OSError as error:
            problems.append(f"{file} cannot be read ({error.strerror}); {EXPECTED}")
        except ValueError as error:
            problems.append(f"{file}: {error}; {EXPECTED}")
    if problems:
        raise InvalidManifests(problems)
    return texts


def _entries(manifest: Any) -> list[tuple[str, str]]:
    """The ids and texts of a decoded manifest. Raises ValueError."""
    if not isinstance(manifest, dict) or not manifest:
        raise ValueError("it is no JSON object with documents")
    is_apollo = "format" in manifest or "operations" in manifest
    entries = _apollo(manifest) if is_apollo else list(manifest.items())
    for key, text in entries:
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(f"{key!r} is not an id with the text of a document")
    return entries


def _apollo(manifest: dict[str, Any]) -> list[tuple[Any, Any]]:
    if manifest.get("format") != APOLLO or manifest.get("version") != APOLLO_VERSION:
        raise ValueError(f"its format is not {APOLLO}, version {APOLLO_VERSION}")
    operations = manifest.get("operations")
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise ValueError("its operations are not a list of objects")
    return [(operation.get("id"), operation.get("body")) for operation in operations]


def operation_names(text: str) -> list[str | None]:
    """The names of a document's operations, None for one without a name. Raises GraphQLSyntaxError."""
    operations = [node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode)]
    return [node.name.value if node.name else None for node in operations]


def _problems(id: str, text: str, known: dict[str, str]) -> Iterator[str]:
    if not 0 < len(id) <= MAX_ID_CHARS:
        yield f"the id {id[:40]!r} has {len(id)} characters; give 1 to {MAX_ID_CHARS}"
    if id.startswith(SHA256) and id != SHA256 + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest():
        yield f"{id} is not the hash of its text; build the manifest again"
    if known.get(id.removeprefix(SHA256), text) != text:
        yield f"{id} has another text in another place; give each document an id of its own"
    try:
        if not operation_names(text):
            yield f"{id} has no operation; build the manifest again"
    except GraphQLSyntaxError as error:
        yield f"{id} is not GraphQL ({error.message}); build the manifest again"
