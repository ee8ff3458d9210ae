"""JSON: nothing is rounded or lost, and invalid text raises BadInput."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadInput
from app.transport.json_codec import decode, encode

TEXT = st.text(st.characters(codec=None, exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_any_value_makes_the_round_trip(value: Any):
    assert decode(encode(value)) == value


@given(VALUES)
def test_json_of_the_standard_library_is_decoded(value: Any):
    assert decode(json.dumps(value).encode()) == value


NOT_JSON = [
    b"",
    b"{oops",
    b"NaN",
    b"[Infinity, 1234567890123456789]",
    b'"\xff"',
    b'"\\ud800',
    b"\xff\xfe{\x00}\x00",
    b"[" * 50_000,
    b"[" * 50_000 + b"1234567890123456789",
    b"9" * 5_000,
    b'{"a":1}{"b":1234567890123456789}',
]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:20]))
def test_invalid_json_is_refused(body: bytes):
    with pytest.raises(BadInput):
        decode(body)


def test_large_integers_keep_every_digit():
    assert decode(b'{"a":[18446744073709551616,-9223372036854775809]}') == {"a": [2**64, -(2**63) - 1]}


def test_fragments_and_datetimes_are_encoded_beside_lone_surrogates():
    value = {"text": "\ud800é", "raw": orjson.Fragment(b'{"n":1e5}'), "at": datetime(2026, 1, 2, tzinfo=UTC)}
    assert encode(value) == b'{"text":"\\ud800\\u00e9","raw":{"n":1e5},"at":"2026-01-02T00:00:00Z"}'


def test_infinity_is_not_encoded():
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"a": math.inf, "b": "\ud800"})
