"""The value and the bytes of a record come back as they went in, and metadata too, or are refused by their field."""

from base64 import b64encode
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import documents
from tests.properties.test_raw_documents import CLEAR, exact, is_acceptable
from tests.support.users import ERRORS

CONTENT = "value bytes metadata"
PUT = f"mutation ($i: PutRecordsInput!) {{ putRecords(input: $i) {{ records {{ {CONTENT} }} {ERRORS} }} }}"
NAME = {"namespace": ["notes"], "key": "k"}
GET = f'{{ record(namespace: ["notes"], key: "k") {{ {CONTENT} }} records {{ nodes {{ {CONTENT} }} }} }}'


async def put_and_read(user, **content):
    """The content from the payload, which a read and a list return too; None if it was refused by its field."""
    response = await user.responds(PUT, i={"records": [NAME | content]})
    if errors := response.get("errors"):
        assert errors[0]["extensions"]["code"] in CLEAR, errors
        return None
    payload = response["data"]["putRecords"]
    if payload["errors"]:
        [refusal] = payload["errors"]
        assert (refusal["code"], refusal["field"][:2]) == ("VALIDATION", ["records", "0"]), refusal
        return None
    [stored] = payload["records"]
    found = await user.asks(GET)
    assert exact([found["record"], *found["records"]["nodes"]]) == exact([stored, stored])
    return stored


@given(value=documents)
async def test_a_value_comes_back_as_it_went_in(server, value):
    owner, stranger = (server.user(f"{name}-{uuid4().hex[:12]}") for name in ("owner", "stranger"))
    stored = await put_and_read(owner, value=value)
    if stored is None:
        assert value is None or not is_acceptable(value)
    else:
        assert exact([stored["value"], stored["bytes"]]) == exact([value, None])
    assert (await stranger.asks(GET))["record"] is None


@given(metadata=documents.filter(lambda value: value is not None))
async def test_metadata_comes_back_as_it_went_in_and_is_found_by_itself(server, metadata):
    owner = server.user(f"owner-{uuid4().hex[:12]}")
    stored = await put_and_read(owner, value=1, metadata=metadata)
    if stored is None:
        assert not is_acceptable(metadata)
    else:
        assert exact(stored["metadata"]) == exact(metadata)
        filtered = "query ($m: JSON) { records(filter: {metadataContains: $m}) { nodes { key } totalCount } }"
        found = await owner.asks(filtered, m=metadata)
        assert found["records"] == {"nodes": [{"key": "k"}], "totalCount": 1}


@given(data=st.binary(max_size=2_000))
async def test_bytes_come_back_as_they_went_in(server, data):
    owner = server.user(f"owner-{uuid4().hex[:12]}")
    text = b64encode(data).decode()
    stored = await put_and_read(owner, bytes=text)
    assert stored == {"value": None, "bytes": text, "metadata": {}}
