"""Scalars: a value is returned as sent, or refused with a reason."""

import json

import pytest

from tests.support.users import error, outcome

JSON_TEXTS = [
    r'{"z": 1, "a": 2, "m": {"b": 1, "a": 2}}',
    r'{"nul": "\u0000", "\u0000": 1}',
    r'["👋🏽", "\u2028", "\"", "\\", "\u007f", "\ufffe"]',
    "[9223372036854775807, -9223372036854775808, 9223372036854775808, 18446744073709551615]",
    "[0.1, -0.0, 1e300, 5e-324, 1.5]",
    '[true, false, null, [], {}, "", 0]',
    '"a text"',
    "0",
    "false",
]
REFUSED = {
    "18446744073709551616": "64 bits",
    "-9223372036854775809": "64 bits",
    '[{"deep": [123456789012345678901234567890]}]': "64 bits",
    r'"\ud800"': "surrogate",
    r'{"\udfff": 1}': "surrogate",
}
SESSION = "mutation ($m: JSON) { createSession(input: {metadata: $m}) { session { metadata } } }"


async def sends(user, document, variables):
    """The response to variables that are a JSON text already, as value and as text."""
    answer = await user._http.post(
        f"{user.url}/graphql",
        content=f'{{"query": {json.dumps(document)}, "variables": {variables}}}'.encode(),
        headers={"authorization": f"Bearer {user.token}", "content-type": "application/json"},
    )
    return answer.json(), answer.text


@pytest.mark.parametrize("text", JSON_TEXTS)
async def test_json_is_returned_as_sent(ann, text):
    response, _ = await sends(ann, SESSION, f'{{"m": {text}}}')
    assert json.dumps(response["data"]["createSession"]["session"]["metadata"]) == json.dumps(json.loads(text))


@pytest.mark.parametrize("text", REFUSED)
async def test_json_that_cannot_be_stored_is_refused_with_a_reason(ann, text):
    response, raw = await sends(ann, SESSION, f'{{"m": {text}}}')
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert REFUSED[text] in raw
    assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0


@pytest.mark.parametrize("text", ["1e999", "[-1e999]", "NaN", "Infinity"])
async def test_number_that_is_not_finite_is_refused(ann, text):
    response, _ = await sends(ann, SESSION, f'{{"m": {text}}}')
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0


LITERALS = {
    '{z: 1, a: [1.5, "x", true, null, WORD], m: {}}': {"z": 1, "a": [1.5, "x", True, None, "WORD"], "m": {}},
    "{set: $set}": {"set": {"b": 1, "a": 2}},
    "[18446744073709551615]": [2**64 - 1],
    '"\\u0000"': "\0",
}


@pytest.mark.parametrize("literal", LITERALS)
async def test_json_literal_is_read_with_its_variables(ann, literal):
    head = "mutation ($set: JSON)" if "$" in literal else "mutation"
    document = f"{head} {{ createSession(input: {{metadata: {literal}}}) {{ session {{ metadata }} }} }}"
    found = (await ann.asks(document, **({"set": {"b": 1, "a": 2}} if "$" in literal else {})))["createSession"]
    assert json.dumps(found["session"]["metadata"]) == json.dumps(LITERALS[literal])


@pytest.mark.parametrize("literal", ["1e999", "[-1e999]", "18446744073709551616", "{a: $unset}", "[$unset]"])
async def test_json_literal_that_cannot_be_stored_is_refused(ann, literal):
    head = "mutation ($unset: JSON)" if "$" in literal else "mutation"
    response = await ann.responds(
        f"{head} {{ createSession(input: {{metadata: {literal}}}) {{ session {{ metadata }} }} }}"
    )
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31t12:00:00.5z", "2026-01-31T12:00:00.500000Z"),
        ("2026-01-31 12:00:00.123456+00:00", "2026-01-31T12:00:00.123456Z"),
        ("2026-01-01T00:30:00.000001+01:00", "2025-12-31T23:30:00.000001Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2026-01-31T12:00:00.000000999999999999999999+02:00", "2026-01-31T10:00:00.000000Z"),
    ],
)
async def test_time_is_stored_in_utc_with_microseconds(ann, sent, shown):
    session = await ann.creates_session(clientCreatedAt=sent)
    assert (await ann.sees(session, "clientCreatedAt"))["clientCreatedAt"] == shown


@pytest.mark.parametrize(
    "sent",
    [
        "2026-01-31T12:00:00",
        "2026-01-31",
        "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00123Z",
        "2026-01-31T12:00:00.123456\u0667Z",
        "2026-01-31T12:00:00.123 456Z",
        "2026-01-31T12:00:00+25:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "yesterday",
        "",
        1700000000,
        True,
    ],
)
async def test_invalid_time_is_refused(ann, sent):
    document = "mutation ($t: DateTime) { createSession(input: {clientCreatedAt: $t}) { session { id } } }"
    response = await ann.responds(document, t=sent)
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "DateTime" in response["errors"][0]["message"]


async def test_null_metadata_is_not_the_json_value_null(ann):
    session = await ann.creates_session(metadata={"kept": 1})
    assert outcome(await ann.does("updateSession", id=session, metadata=None)) == error("VALIDATION", field="metadata")
