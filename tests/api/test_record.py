"""Records: documents under keys of one owner."""

import json
from base64 import b64encode
from uuid import uuid4

import pytest

from tests.support.users import Refusal, error, outcome

FIELDS = "id namespace key value bytes metadata revision session { id } expiresAt createdAt updatedAt"
READ = f"query ($n: [String!]!, $k: String!) {{ record(namespace: $n, key: $k) {{ {FIELDS} }} }}"
LIST = """
query ($prefix: [String!], $filter: RecordFilter, $order: RecordOrder, $first: Int, $after: String, $last: Int) {
  records(namespacePrefix: $prefix, filter: $filter, orderBy: $order, first: $first, after: $after, last: $last) {
    totalCount pageInfo { hasNextPage endCursor } nodes { namespace key revision }
  }
}
"""
BY_KEY = {"field": "KEY", "direction": "ASC"}
NAMESPACES = """
query ($prefix: [String!], $suffix: [String!], $depth: Int, $first: Int, $after: String) {
  recordNamespaces(prefix: $prefix, suffix: $suffix, maxDepth: $depth, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { namespace }
  }
}
"""


async def puts(user, *records):
    payload = await user.does("putRecords", f"records {{ {FIELDS} }}", records=list(records))
    return payload["records"] if not payload["errors"] else payload["errors"]


def record(key, value=1, namespace=("notes",), **fields):
    return {"namespace": list(namespace), "key": key, "value": value, **fields}


async def reads(user, key, namespace=("notes",)):
    return (await user.asks(READ, n=list(namespace), k=key))["record"]


async def lists(user, *prefix, order=BY_KEY, **variables):
    found = (await user.asks(LIST, prefix=list(prefix), order=order, **variables))["records"]
    return ["/".join([*node["namespace"], node["key"]]) for node in found["nodes"]]


async def deletes(user, **input):
    payload = await user.does("deleteRecords", "deletedCount", **input)
    return payload["deletedCount"] if not payload["errors"] else outcome(payload)


async def test_a_record_is_stored_as_sent_for_its_owner_only(ann, bob):
    session = await ann.creates_session()
    value = {"b": 1, "a": [1.0, 1e100, "\0 é \U0001f600", None], "": {}}
    [made] = await puts(ann, record("k", value, metadata={"source": "test"}, sessionId=session, ttlSeconds=60))
    assert made == await reads(ann, "k")
    assert json.dumps(made["value"]) == json.dumps(value)
    assert (made["namespace"], made["key"], made["revision"], made["bytes"]) == (["notes"], "k", 1, None)
    assert (made["metadata"], made["session"]) == ({"source": "test"}, {"id": session})
    assert made["createdAt"] < made["expiresAt"]
    assert await reads(bob, "k") is None
    node = "query ($id: ID!) { node(id: $id) { __typename id } }"
    assert (await ann.asks(node, id=made["id"]))["node"] == {"__typename": "Record", "id": made["id"]}
    assert (await bob.asks(node, id=made["id"]))["node"] is None
    assert await lists(bob) == []
    # The same name is another record of another owner.
    [other] = await puts(bob, record("k", "bob's"))
    assert (other["revision"], (await reads(ann, "k"))["value"]) == (1, value)
    assert await deletes(bob, namespacePrefix=[]) == 1
    assert (await reads(ann, "k"))["revision"] == 1


async def test_a_put_replaces_the_whole_record(ann):
    [first] = await puts(ann, record("k", 1, metadata={"a": 1}, ttlSeconds=60))
    data = b64encode(bytes(range(256))).decode()
    [second] = await puts(ann, {"namespace": ["notes"], "key": "k", "bytes": data})
    assert (second["value"], second["bytes"], second["metadata"], second["expiresAt"]) == (None, data, {}, None)
    assert (second["id"], second["revision"], second["createdAt"]) == (first["id"], 2, first["createdAt"])
    assert second["updatedAt"] > first["updatedAt"]


async def test_records_are_stored_all_or_none(ann):
    await puts(ann, record("a", 1), record("b", 1))
    [refused] = await puts(ann, record("c", 1), record("a", 2, expectedRevision=7))
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["records", "1", "expectedRevision"])
    assert refused["currentRevision"] == 1
    [refused] = await puts(ann, record("c", 1), record("d", 1, sessionId=f"ses_{uuid4()}"))
    assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["records", "1", "sessionId"])
    assert await lists(ann) == ["notes/a", "notes/b"]
    assert (await reads(ann, "a"))["value"] == 1
    made = await puts(ann, record("b", 2, expectedRevision=1), record("c", 1, expectedRevision=0))
    assert [each["revision"] for each in made] == [2, 1]
    [refused] = await puts(ann, record("c", 2, expectedRevision=0))
    assert (refused["code"], refused["currentRevision"]) == ("CONFLICT", 1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": ""}, "key"),
        ({"key": "a\x1eb"}, "key"),
        ({"key": "k" * 256}, "key"),
        ({"key": "a\x7fb"}, "key"),
        ({"key": "\0"}, "key"),
        ({"namespace": ["a", ""]}, "namespace.1"),
        ({"namespace": ["a\x1f"]}, "namespace.0"),
        ({"namespace": ["n"] * 21}, "namespace"),
        ({"namespace": ["é" * 255] * 4}, "namespace"),
        ({"value": None}, "value"),
        ({"bytes": "AA=="}, "value"),
        ({"value": "x" * 2**20}, "value"),
        ({"metadata": "x" * 2**20}, "metadata"),
        ({"ttlSeconds": 0}, "ttlSeconds"),
        ({"expectedRevision": -1}, "expectedRevision"),
    ],
)
async def test_an_invalid_record_names_the_field(ann, fields, field):
    payload = await ann.does("putRecords", records=[record("fine"), record("k") | fields])
    assert outcome(payload) == error("VALIDATION", field=f"records.1.{field}")
    assert await lists(ann) == []


async def test_too_many_records_and_duplicates_are_refused(ann):
    for number in (0, 101):
        payload = await ann.does("putRecords", records=[record(str(key)) for key in range(number)])
        assert outcome(payload) == error("VALIDATION", field="records")
    payload = await ann.does("putRecords", records=[record("a"), record("a", 2)])
    assert outcome(payload) == error("VALIDATION", field="records.1.key")
    assert len(await puts(ann, *(record(f"{key:03}") for key in range(100)))) == 100
    with pytest.raises(Refusal, match="Base64"):
        await ann.does("putRecords", records=[{"namespace": [], "key": "k", "bytes": "no"}])


async def test_records_are_found_below_a_namespace_in_the_order_of_their_names(ann):
    names = [
        ("", "z"),
        ("a", "1"),
        ("a", "2"),
        ("a/b", "0"),
        ("a/b/c", "1"),
        ("ab", "1"),
        ("b", "é"),
        ("b", "\U0010ffff"),
    ]
    await puts(ann, *(record(key, namespace=filter(None, path.split("/"))) for path, key in names))
    everything = [f"{path}/{key}".removeprefix("/") for path, key in names]
    assert await lists(ann) == everything
    assert await lists(ann, "a") == ["a/1", "a/2", "a/b/0", "a/b/c/1"]
    assert await lists(ann, "a", "b") == ["a/b/0", "a/b/c/1"]
    assert await lists(ann, "c") == []
    assert await lists(ann, order={"field": "KEY", "direction": "DESC"}) == everything[::-1]
    after, seen = None, []
    while True:
        page = (await ann.asks(LIST, order=BY_KEY, first=3, after=after))["records"]
        seen += [node["key"] for node in page["nodes"]]
        assert page["totalCount"] == len(names)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [key for _, key in names]


async def test_records_are_filtered_by_every_condition(ann):
    await puts(
        ann,
        record("a", {"text": "Über Berge"}, metadata={"kind": "note", "tags": ["x", "y"], "n": 1}),
        record("b", ["täler", {"deep": "ÜBER"}], metadata={"kind": "note", "null": "\0"}),
        record("c", "nothing", metadata={"kind": "other", "n": 1.0}),
    )
    for filter, found in (
        ({"metadataContains": {"kind": "note"}}, "ab"),
        ({"metadataContains": {"tags": ["y"]}}, "a"),
        ({"metadataContains": {"n": 1}}, "ac"),
        ({"metadataContains": {"kind": "note", "n": 1}}, "a"),
        ({"metadataContains": {"null": "\0"}}, "b"),
        ({"metadataContains": {}}, "abc"),
        ({"keyFrom": "b"}, "bc"),
        ({"keyTo": "b"}, "ab"),
        ({"keyFrom": "b", "keyTo": "b"}, "b"),
        ({"text": "berge"}, "a"),
        ({"text": "über"}, "ab"),
        ({"text": "NOTHING"}, "c"),
        ({"text": "deep"}, ""),
    ):
        assert await lists(ann, filter=filter) == [f"notes/{key}" for key in found], filter
    await puts(ann, record("a", 2))
    assert await lists(ann, order={"field": "UPDATED_AT", "direction": "DESC"}, first=1) == ["notes/a"]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_records_are_paged_in_the_order_of_their_changes(ann, direction):
    keys = ["b.2", "a.1", "c..3."]
    for key in keys:
        await puts(ann, record(key))
    after, seen = None, []
    while len(seen) < len(keys):
        order = {"field": "UPDATED_AT", "direction": direction}
        page = (await ann.asks(LIST, order=order, first=1, after=after))["records"]
        seen += [node["key"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert seen == (keys if direction == "ASC" else keys[::-1])


async def test_namespaces_are_listed(ann, bob):
    paths = ["a/b/c", "a/b/d", "a/x", "ab", "b", "b/b"]
    await puts(ann, *(record("k", namespace=path.split("/")) for path in paths), record("k2", namespace=["b"]))
    await puts(ann, record("in the root", namespace=[]))

    async def spaces(user=ann, **variables):
        found = (await user.asks(NAMESPACES, **variables))["recordNamespaces"]
        nodes = ["/".join(node["namespace"]) for node in found["nodes"]]
        assert found["totalCount"] == len(nodes) + ("after" in variables) * 2
        return nodes

    assert await spaces() == paths
    assert await spaces(prefix=["a"]) == ["a/b/c", "a/b/d", "a/x"]
    assert await spaces(prefix=["a"], depth=2) == ["a/b", "a/x"]
    assert await spaces(depth=1) == ["a", "ab", "b"]
    assert await spaces(suffix=["b"]) == ["b", "b/b"]
    assert await spaces(suffix=["b", "c"]) == ["a/b/c"]
    first = (await ann.asks(NAMESPACES, first=2))["recordNamespaces"]
    assert await spaces(after=first["pageInfo"]["endCursor"]) == paths[2:]
    assert await spaces(bob) == []


async def test_records_are_deleted_by_name_or_below_a_namespace(ann, bob):
    for user in (ann, bob):
        await puts(user, *(record(f"{key}", namespace=["a"]) for key in range(5)), record("k", namespace=["a", "b"]))
    names = [{"namespace": ["a"], "key": key} for key in ("0", "1", "missing")]
    assert await deletes(ann, keys=names) == 2
    assert await deletes(ann, keys=names) == 0
    assert await deletes(ann, namespacePrefix=["a"], keyTo="3") == 2
    assert await lists(ann) == ["a/4", "a/b/k"]
    assert await deletes(ann, namespacePrefix=["a", "b"]) == 1
    assert await deletes(ann, namespacePrefix=[]) == 1
    assert len(await lists(bob)) == 6
    assert await deletes(ann) == error("VALIDATION", field="keys")
    assert await deletes(ann, keys=[], namespacePrefix=[]) == error("VALIDATION", field="keys")
    assert await deletes(ann, keys=[]) == error("VALIDATION", field="keys")
    assert await deletes(bob, namespacePrefix=["a"], keyTo="0\0") == error("VALIDATION", field="keyTo")
    assert len(await lists(bob)) == 6


async def test_a_record_is_absent_once_its_time_has_passed(ann, sql):
    await puts(ann, record("k", 1, ttlSeconds=60), record("stays", 1))
    await sql("update records set expires_at = now() - interval '1 second' where expires_at is not null")
    assert await reads(ann, "k") is None
    assert await lists(ann) == ["notes/stays"]
    assert await deletes(ann, keys=[{"namespace": ["notes"], "key": "k"}]) == 0
    await puts(ann, record("k", 1, ttlSeconds=60))
    await sql("update records set expires_at = now() - interval '1 second' where expires_at is not null")
    [again] = await puts(ann, record("k", 2, expectedRevision=0))
    assert (again["revision"], again["expiresAt"], again["createdAt"] == again["updatedAt"]) == (1, None, True)


async def test_records_of_a_session_are_erased_with_it(ann, bob, sql):
    session, other = await ann.creates_session(), await ann.creates_session()
    await puts(ann, record("a", sessionId=session), record("b", sessionId=other), record("c"))
    [refused] = await puts(bob, record("d", sessionId=session))
    assert refused["code"] == "NOT_FOUND"
    await ann.does("deleteSession", id=session)
    assert len(await lists(ann)) == 3
    assert (await puts(ann, record("d", sessionId=session)))[0]["code"] == "NOT_FOUND"
    await ann.does("deleteSession", id=session, mode="HARD")
    assert await lists(ann) == ["notes/b", "notes/c"]
    found = "select 1 from records where owner_id = $1 and session_id is not null and path like '%a'"
    assert await sql(found, ann.name) == []


async def test_a_put_with_an_idempotency_key_happens_once(ann):
    query = (
        f"mutation ($i: PutRecordsInput!) {{ putRecords(input: $i) {{ records {{ {FIELDS} }} errors {{ code }} }} }}"
    )
    answers = [
        await ann.responds(query, headers={"idempotency-key": "once"}, i={"records": [record("k")]}) for _ in range(2)
    ]
    assert answers[0]["data"] == answers[1]["data"]
    assert answers[1]["extensions"]["idempotency"]["replayed"] is True
    assert (await reads(ann, "k"))["revision"] == 1
