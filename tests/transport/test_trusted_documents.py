"""Manifests as the build tools of clients write them (those beside this file are theirs), and all that may be wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from app.transport.documents import sha256
from app.transport.trusted_documents import InvalidManifests, read_manifests
from harness.server_settings import environment_for, settings_for
from tests.support.servers import serving

MANIFESTS = Path(__file__).parent / "manifests"
SCHEMA = build_schema((Path(__file__).parents[2] / "schema.graphql").read_text())
TEXT = "query Viewer { viewer { subject } }"
PREFIXED = f"sha256:{sha256(TEXT)}"
APOLLO = {"format": "apollo-persisted-query-manifest", "version": 1}


def problems(path: Path) -> list[str]:
    with pytest.raises(InvalidManifests) as invalid:
        read_manifests(path)
    return invalid.value.problems


@pytest.fixture
def manifest(tmp_path: Path):
    """Writes a manifest and returns its path."""

    def manifest(content: Any, name: str = "manifest.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return manifest


@pytest.mark.parametrize("tool", ["graphql-codegen", "apollo", "relay"])
def test_the_manifest_of_each_tool_is_read(tool: str):
    texts = read_manifests(MANIFESTS / f"{tool}.json")
    assert texts
    assert not [key for key in texts if ":" in key]
    assert [validate(SCHEMA, parse(text)) for text in texts.values()] == [[]] * len(texts)
    if tool != "relay":  # which has MD5 sums
        assert [sha256(text) for text in texts.values()] == list(texts)


def test_a_directory_is_all_of_its_manifests(manifest):
    one = read_manifests(manifest({PREFIXED: TEXT}).parent)
    manifest({sha256(TEXT): TEXT, "a": "{__typename}"}, "another.json")
    manifest(b"no manifest", "README.md")
    both = read_manifests(manifest({**APOLLO, "operations": [{"id": "b", "body": "{a:__typename}"}]}, "c.json").parent)
    assert one == {sha256(TEXT): TEXT}
    assert both == {sha256(TEXT): TEXT, "a": "{__typename}", "b": "{a:__typename}"}
    assert len(read_manifests(MANIFESTS)) == sum(len(read_manifests(path)) for path in MANIFESTS.iterdir())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "Expecting property name"),
        (b"\xff{}", "can't decode byte 0xff"),
        ([], "it is no JSON object with documents"),
        ({}, "it is no JSON object with documents"),
        ({"name": "my-app", "dependencies": {}}, "'dependencies' is not an id with the text of a document"),
        ({**APOLLO, "version": 2, "operations": []}, "its format is not apollo-persisted-query-manifest, version 1"),
        ({"operations": []}, "its format is not apollo-persisted-query-manifest, version 1"),
        ({**APOLLO, "operations": {}}, "its operations are not a list of objects"),
        ({**APOLLO, "operations": [{"id": "a", "text": TEXT}]}, "'a' is not an id with the text of a document"),
        ({"": TEXT}, "the id '' has 0 characters; give 1 to 512"),
        ({PREFIXED: TEXT + " "}, f"{PREFIXED} is not the hash of its text; build the manifest again"),
        ({PREFIXED: TEXT, sha256(TEXT): "{__typename}"}, "has another text in another place"),
        ({"a": "fragment F on Query { __typename }"}, "a has no operation; build the manifest again"),
        ({"a": "query {"}, "a is not GraphQL (Syntax Error: Expected Name"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_manifest_that_cannot_be_used_is_named_with_its_file(manifest, content, problem):
    path = manifest(content)
    [found] = problems(path)
    assert found.startswith(f"{path}: ")
    assert problem in found
    assert "; give " in found or "; build " in found


def test_every_problem_of_every_file_is_named_at_once(manifest, tmp_path):
    manifest({"a": "query {", "b": "{__typename}", "c": "type T { a: Int }"})
    manifest([], "second.json")
    assert len(problems(tmp_path)) == 3
    assert problems(tmp_path / "absent.json") == [
        f"{tmp_path / 'absent.json'} cannot be read (No such file or directory); give a manifest of graphql-codegen, "
        "Apollo or Relay"
    ]
    (tmp_path / "empty").mkdir()
    assert "has no .json file" in problems(tmp_path / "empty")[0]


def test_a_server_with_such_a_manifest_does_not_start(manifest):
    variables = environment_for("postgresql://nobody@127.0.0.1:9/none", TRUSTED_DOCUMENTS=str(manifest([])))
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
    ended = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("TRUSTED_DOCUMENTS: ")


async def test_a_server_answers_the_documents_of_all_three_tools_and_no_others(database_url):
    settings = settings_for(database_url, trusted_documents=MANIFESTS, trusted_documents_mode="only")
    async with serving(settings) as running:
        ann = running.user("ann-of-manifests")
        headers = {"authorization": f"Bearer {ann.token}"}
        for key in read_manifests(MANIFESTS):
            reply = await running.http.post(f"{running.url}/graphql", json={"documentId": key}, headers=headers)
            assert "errors" not in reply.json()
        reply = await running.http.post(f"{running.url}/graphql", json={"query": "{__typename}"}, headers=headers)
        assert reply.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
