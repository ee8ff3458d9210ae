"""Documents of any shape: reading never fails, keeps what it does not recognise, and takes linear time."""

import gc
import json
import math
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from app.documents import pydantic_ai, reader
from app.documents.parsing import parse
from app.documents.quoting import VALUES
from app.documents.reader import read
from app.limits import MAX_BLOCKS, MAX_PARTS
from app.schema.content import blocks as typed_blocks
from tests.documents.samples_of_formats import SAMPLES, documents
from tests.documents.stored_blocks import blocks_of

MORE_KEYS = """
    type role content text parts id call_id toolCallId toolName tool_use_id tool_name input args arguments name state
    function source url data mimeType mediaType annotations citations sources status error thought image output value
    message kwargs grounding_metadata groundingChunks usage input_tokens inputTokens promptTokenCount uri title kind
"""
MORE_KINDS = """
    ai human tool constructor response list base64 url output-available output-error output-denied reasoning activity
"""
INDEXED = (reader.ENVELOPES, reader.MESSAGES, reader.USAGES)
KEYS = [*(key for table in INDEXED for key, _ in table), *reader.KEYS, *reader.METADATA, *MORE_KEYS.split()]
KINDS = [*(kind.replace("*", "x") for kind in reader.NAMES), *reader.NESTED, *pydantic_ai.PARTS, *MORE_KINDS.split()]
LEAVES = some.none() | some.booleans() | some.integers(-1, 9) | some.sampled_from(KINDS) | some.text(max_size=3)
ANYTHING = some.recursive(
    LEAVES,
    lambda inside: (
        some.lists(inside, max_size=4)
        | some.dictionaries(some.sampled_from(KEYS) | some.text(max_size=2), inside, max_size=6)
    ),
    max_leaves=30,
)
REAL = some.sampled_from([document for sample in SAMPLES.values() for document in documents(sample)])


@some.composite
def damaged(draw):
    """A real document in which some values are replaced by others."""

    def damage(value):
        if draw(some.integers(0, 12)) == 0:
            return draw(ANYTHING)
        if isinstance(value, dict):
            return {key: damage(item) for key, item in value.items()}
        return [damage(item) for item in value] if isinstance(value, list) else value

    return damage(draw(REAL))


def check(document):
    content = read(json.dumps(document))
    found = blocks_of(content)
    assert content.text == "\n".join(block["text"] for block in found if block["kind"] == "text")
    assert found or document == ""
    assert len(typed_blocks(content.text, content.stored_blocks)) == len(found)


@given(document=ANYTHING.filter(lambda value: isinstance(value, dict | list | str)))
@example({"role": "assistant", "content": None, "tool_calls": [{"id": {}, "function": {"name": 1}}]})
@example({"type": [], "role": {}, "content": [{"type": {}, "part_kind": []}]})
def test_any_json_value_is_read(document):
    check(document)


@given(document=damaged())
def test_a_damaged_document_is_read(document):
    check(document)


def integer(digits):
    """An integer beyond 64 bits is a text."""
    return int(digits) if -(2**63) <= int(digits) < 2**63 else digits


def number(digits):
    """A number beyond a double is a text."""
    return float(digits) if math.isfinite(float(digits)) else digits


DECODER = json.JSONDecoder(parse_int=integer, parse_float=number, parse_constant=str)


def replaced(value, levels=200):
    """The value without characters that PostgreSQL cannot store. Raises ValueError if it is nested too deeply."""
    if isinstance(value, str):
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict | list) and not levels:
        raise ValueError
    if isinstance(value, dict):
        return {replaced(key): replaced(item, levels - 1) for key, item in value.items()}
    return [replaced(item, levels - 1) for item in value] if isinstance(value, list) else value


NUMBERS = ["-0", "1e400", "-1e999", "9223372036854775807", "9223372036854775808", "9" * 30, "0.1", "1E2", "NaN"]
NUMBERS += ["-9223372036854775808", "-9223372036854775809", "1" * 400 + ".5", "1e00400", "0.1E+999", "1e-999", "0e999"]
NUMBERS += [
    "Infinity",
    "-Infinity",
    "-NaN",
    "0" * 20,
    "00e999",
    "1" * 19 + "e",
    "1" * 19 + ".",
    "1e0999x",
    "+1e999",
    "007.5e9999",
]
NUMBERS += [f"0.{'3' * 25}", f"{'7' * 25}e-20", " 1e999 ", "1e999 1e999", "1e999\x00", "\x021e999"]
NUMBERS += [str(2**1024 - 2**970), f"{2**1024 - 2**970}.0", f"-{2**1024 - 2**970 - 1}.9", "1.7976931348623157e308"]
NUMBERS += [
    "1.7976931348623159e308",
    f"{'7' * 400}e-200",
    f"0.{'0' * 500}1e600",
    "9" * 19 + "e2",
    "0e9999999999999999999",
]
NUMBERS += [
    "-Infinity-1",
    "1NaN",
    "1-1e999",
    '1e999"',
    '"-"',
    '"1e999"',
    '"NaN"',
    '"\\"NaN"',
    "--1e999",
    "8" * 19 + "1",
]
ESCAPES = [
    "\\u0000",
    "\\ud83d",
    "\\uD83D",
    "\\ude00",
    "\\uDE00",
    "\\ud800",
    "\\ud8",
    "\\\\",
    '\\"',
    "\\u00e9",
    "\\n",
    "u0000",
    "a",
    "0" * 19,
]
TEXTS = some.lists(some.sampled_from(ESCAPES), max_size=7).map(lambda letters: f'"{"".join(letters)}"')


@given(
    some.recursive(
        some.sampled_from([*NUMBERS, "null", "true", "tru", ""]) | TEXTS,
        lambda inside: (
            some.lists(inside, max_size=4).map(lambda items: f"[{','.join(items)}]")
            | some.tuples(TEXTS | some.sampled_from(NUMBERS), inside).map(lambda pair: f"{{{pair[0]}:{pair[1]}}}")
        ),
    )
)
@example("[" * 200 + "]" * 200)
@example("[" * 201 + "]" * 201)
@example("[" + "[1]," * 300 + "[" * 199 + "]" * 199 + "]")
@example("[" + "[1]," * 300 + "[" * 200 + "]" * 200 + "]")
@example("[" + "[1]," * 300 + "[" * 200 + "]" * 200 + ",1e999]")
@example("[]," * 300 + "[]")
@example("[1]],[" + "[1]," * 300 + "1]")
@example("[1]]" + "[]" * 300 + "[[1]")
@example("[" + "[1]," * 3_000 + "[" * 199 + "]" * 199 + ",NaN]")
@example("[" + "[1]," * 3_000 + "[" * 200 + "]" * 200 + "]")
def test_the_two_parsers_agree(text):
    try:
        expected = replaced(DECODER.decode(text))
    except ValueError:
        expected = None
    assert repr(parse(text)) == repr(expected)


@given(some.lists(some.sampled_from([*NUMBERS, *'0123456789.eE+-NI"[,:', "NaN", "Infinity"])).map("".join))
def test_the_search_for_values_that_need_quotes_leaves_no_gap(text):
    """Where it did not match, it would start again at each character: quadratic time."""
    assert not any(VALUES.split(text.encode())[::3])


FAMILIES = {
    "empty lists": lambda n: [[]] * n,
    "numbers": lambda n: [1] * n,
    "marks between steps": lambda n: [{"type": "step-start"}] * n,
    "texts": lambda n: {"role": "user", "content": [{"type": "text", "text": "a"}] * n},
    "annotations": lambda n: [
        {"type": "text", "text": "a", "annotations": [{"type": "url_citation", "url": str(i)} for i in range(n)]}
    ],
    "calls": lambda n: {
        "type": "ai",
        "content": [{"type": "tool_use", "id": str(i), "name": "a"} for i in range(n)],
        "tool_calls": [{"id": str(i), "name": "a", "args": {}} for i in range(n)],
    },
    "keys": lambda n: {f"key {i}": i for i in range(n)},
    "messages in messages": lambda n: [nested(90, {"messages": [{"type": "step-start"}] * n})],
    "arguments": lambda n: [{"type": "function_call", "call_id": "a", "name": "a", "arguments": json.dumps([[1]] * n)}],
    "user contents": lambda n: {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": ["a"] * n}]},
    "replaced characters": lambda n: ["\0", *[["\ud800"]] * n],
    "a long number and numbers": lambda n: [10**20, *[1] * n],
    "long numbers": lambda n: [10**20 + i for i in range(n)],
    "calls beside calls": lambda n: {
        "type": "ai",
        "content": [],
        "tool_calls": [{"id": "a", "name": "a", "args": 1}] * 3 * n,
    },
    "lists in lists": lambda n: [json.loads("[" * 190 + "]" * 190)] * (n // 100),
    "attachments": lambda n: {"role": "user", "content": [], "attachments": [{"content": [{"type": "image"}]}] * n},
}


def nested(levels, document):
    return document if not levels else nested(levels - 1, {"messages": [document]})


def steps(document):
    """The calls that reading a document takes."""
    raw = json.dumps(document)
    return calls(lambda: read(raw))


def calls(run):
    """The calls of Python functions, resumptions of generators among them."""
    counted = [0]

    def count(frame, event, argument):
        counted[0] += event == "call"

    gc.disable()  # a collection calls what Hypothesis has registered
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_takes_a_number_of_steps_that_grows_with_the_document_only(family):
    small, large = (steps(FAMILIES[family](n)) for n in (500, 2_000))
    assert large <= 4.2 * small + 100


@pytest.mark.parametrize("raw", [json.dumps([[]] * 100_000), "[[" + "[]," * 100_000])
def test_reading_collects_no_garbage(raw):
    """A collection would traverse all values of the document."""
    phases = []
    gc.collect()
    gc.callbacks.append(lambda phase, _: phases.append(phase))
    try:
        read(raw)
        assert phases == []
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()


TOKENS = {
    "a long number and numbers": lambda n: "[99999999999999999999" + ",1" * n + "]",
    "a number beyond a double and numbers": lambda n: "[1e400" + ",0.5" * n + "]",
    "equal long numbers": lambda n: "[" + ",".join(["-99999999999999999999"] * n) + "]",
    "infinities": lambda n: "[" + ",".join(["NaN", "-Infinity", "Infinity"] * n) + "]",
    "a long number and texts": lambda n: "[99999999999999999999" + ',"\\""' * n + "]",
    "an open list": lambda n: "[1" + ",1" * n,
    "an open text": lambda n: '["' + '\\"' * n,
    "half surrogate pairs": lambda n: "[" + ",".join(['"\\ud800"'] * n) + "]",
    "numbers beyond a double": lambda n: "[" + ",".join(f"{i}e999" for i in range(n)) + "]",
    "numbers near the largest double": lambda n: "[" + ",".join(f"{i}e30{i % 10}" for i in range(n)) + "]",
    "objects of constants": lambda n: "[" + ",".join(['{"":NaN}'] * n) + "]",
    "constants with a sign": lambda n: "[" + ",".join(["-NaN"] * n) + "]",
    "lists before a number beyond a double": lambda n: "[" + "[1]," * n + "1e999]",
}


@pytest.mark.parametrize("tokens", TOKENS)
def test_the_parser_takes_no_step_for_each_token(tokens):
    few, many = TOKENS[tokens](10), TOKENS[tokens](1_000)
    assert calls(lambda: parse(few)) == calls(lambda: parse(many))


INNER = {
    "annotations": lambda items: {"role": "a", "content": [{"type": "text", "text": "a", "annotations": items}]},
    "attachments": lambda items: {"role": "user", "content": "a", "attachments": items},
    "citations": lambda items: {"parts": [{"part_kind": "text", "content": "a", "citations": items}]},
    "sources": lambda items: {"parts": [{"part_kind": "text", "content": "a", "citations": [{"sources": items}]}]},
    "steps": lambda items: {"role": "a", "content": "a", "metadata": {"steps": items}},
    "calls": lambda items: {"type": "ai", "content": [{"type": "text", "text": "a", "id": "b"}], "tool_calls": items},
}


@pytest.mark.parametrize("inner", INNER)
def test_what_is_inside_a_part_and_is_not_read_takes_no_step(inner):
    """No limit counts it, as it is no part."""
    few, many = (INNER[inner]([1, {}, {"a": 1}] * n if inner != "calls" else [1, {"id": "b"}] * n) for n in (3, 300))
    assert steps(few) == steps(many)
    assert read(json.dumps(many)).text == "a"


def test_the_usage_of_a_limited_number_of_steps_is_added():
    whole = {
        "role": "a",
        "content": "a",
        "metadata": {"steps": [{"usage": {"inputTokens": 1, "outputTokens": 1}}] * 1_001},
    }
    assert read(json.dumps(whole)).usage == {"input_tokens": 1_000, "output_tokens": 1_000, "total_tokens": 2_000}


def test_metadata_is_read_a_limited_number_of_levels_deep():
    def tree(levels):
        return dict.fromkeys(reader.METADATA, tree(levels - 1)) if levels else {}

    usage = {"input_tokens": 1, "output_tokens": 1}
    assert read(json.dumps({"metadata": {"response_metadata": {"usage": usage}}})).usage
    assert not read(json.dumps({"metadata": {"custom": {"response_metadata": {"usage": usage}}}})).usage
    assert steps(tree(6)) == steps(tree(4))


PARTS = {
    "Bedrock": {"text": "a"},
    "Anthropic and OpenAI": {"type": "text", "text": "a"},
    "a call of Anthropic": {"type": "tool_use", "id": "a", "name": "a", "input": {}},
    "AI SDK": {"type": "tool-find", "toolCallId": "a", "state": "input-available", "input": {}},
    "Gemini": {"functionCall": {"name": "a", "args": {}}},
    "pydantic-ai": {"part_kind": "text", "content": "a"},
}


@pytest.mark.parametrize("producer", PARTS)
def test_a_part_takes_a_few_steps_however_many_formats_there_are(producer):
    few, many = (steps({"role": "assistant", "parts": [PARTS[producer]] * n}) for n in (100, 200))
    assert many - few <= 100 * 11  # 18 to 25 in the version that had four formats


@pytest.mark.parametrize("n", [MAX_BLOCKS, MAX_BLOCKS + 1, 3 * MAX_BLOCKS])
def test_a_document_of_many_parts_has_a_limited_number_of_blocks(n):
    document = [{"text": "a"}] * n
    found = blocks_of(read(json.dumps(document)))
    assert len(found) == MAX_BLOCKS
    last = {"kind": "text", "text": "a"} if n == MAX_BLOCKS else {"kind": "other", "name": "list", "raw": document}
    assert found[-1] == last


@pytest.mark.parametrize("nothing", [{"parts": []}, {"role": "user", "content": ""}, {"type": "step-start"}])
def test_a_limited_number_of_messages_and_parts_is_read(nothing):
    few, many = ([*[nothing] * n, {"text": "a"}] for n in (MAX_PARTS - 1, MAX_PARTS + 1))
    assert blocks_of(read(json.dumps(few))) == [{"kind": "text", "text": "a"}]
    assert blocks_of(read(json.dumps(many))) == [{"kind": "other", "name": "list", "raw": many}]
    assert steps([nothing] * 2 * MAX_PARTS) <= steps([nothing] * MAX_PARTS) + 100
