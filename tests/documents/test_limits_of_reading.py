"""What is read of a large document that is made to be slow: less than all of it, while `raw` is stored whole."""

import json

import pytest

from app.documents.parsing import parse
from app.documents.reader import read
from app.limits import MAX_DENSE_PARTS, MAX_PARSED_INPUTS
from tests.documents.stored_blocks import blocks_of


def test_a_large_text_of_hardly_any_but_lists_is_not_read():
    for lists, number, is_read in (
        ("[12]", 260_000, True),
        ("[]", 249_000, True),
        ("[]", 251_000, False),
        ("[[[]]]", 80_000, True),
        ("[[[]]]", 110_000, False),
        ("[" * 190 + "]" * 190, 2_000, False),
        ('{"a":123456}', 90_000, True),
        ('{"":1}', 90_000, False),
    ):
        raw = f"[{','.join([lists] * number)}]"
        assert read(raw).text == ("" if is_read else raw)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "-17e308", "1e300"])
def test_a_large_text_of_many_constants_and_numbers_beyond_a_double_is_not_read(value):
    """Few of them are texts, and so are all integers beyond 64 bits."""
    kept = 1e300 if value == "1e300" else value
    assert parse(f"[{','.join([value] * 5_000)}]") == [kept] * 5_000
    assert parse(f"[{','.join([value] * 5_001)},{'1' * 20}]") is None
    assert parse(f"[{','.join([value] * 5_001)}{' ' * 1_100_000}]") == [kept] * 5_001
    assert parse(f"[{','.join([str(10**19 + n) for n in range(50_000)])},{value}]")[-2:] == [str(10**19 + 49_999), kept]


def test_such_a_document_is_its_own_text():
    raw = f"[{','.join(f'{n}e999' for n in range(1_000, 121_000))}]"
    assert read(raw) == (raw[:1_000_000], None, None)


def test_a_dense_document_has_fewer_parts():
    """A document with more than 50,000 lists and objects in less than 20 characters each."""
    texts = [{"text": "a"}] * MAX_DENSE_PARTS
    for document, is_read in (([*texts[1:], [[]] * 60_000], True), ([*texts, [[]] * 60_000], False)):
        found = blocks_of(read(json.dumps(document)))
        assert found[:-1] == [{"kind": "text", "text": "a"}] * (len(document) - 1)
        assert found[-1]["raw"] == (document[-1] if is_read else document)
    sparse = [*texts, [["a" * 20]] * 60_000]
    assert blocks_of(read(json.dumps(sparse)))[-1]["raw"] == sparse[-1]


def test_the_inputs_of_a_limited_number_of_calls_are_parsed():
    call = {"type": "function_call", "call_id": "a", "name": "b", "arguments": '{"c": NaN}'}
    found = blocks_of(read(json.dumps([call] * (MAX_PARSED_INPUTS + 1))))
    assert [block["input"] for block in found] == [{"c": "NaN"}] * MAX_PARSED_INPUTS + ['{"c": NaN}']
