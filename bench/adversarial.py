"""Documents of 1 MiB that are made to be slow to read, by what they consist of."""

import json
from collections.abc import Callable

MEBIBYTE = 2**20


def repeated(item: str, frame: str = "[%s]") -> str:
    """A document of 1 MiB that consists of one item."""
    count = (MEBIBYTE - len(frame)) // (len(item) + 1)
    return frame % ",".join([item] * count)


def numbered(item: Callable[[int], str], frame: str = "[%s]") -> str:
    """A document of at most 1 MiB that consists of different items."""
    count = (MEBIBYTE - len(frame)) // (len(item(99_999)) + 1)
    return frame % ",".join(map(item, range(count)))


def call(arguments: str) -> str:
    return json.dumps({"type": "function_call", "call_id": "c", "name": "n", "arguments": arguments})


def metadata(levels: int) -> str:
    return '{"metadata":%s,"custom":%s}' % ((metadata(levels - 1),) * 2) if levels else "{}"


CITED = '{"type":"text","text":"","annotations":[' + ",".join(["1,1,1,1,1,1,{}"] * 700) + "]}"
ADVERSARIAL: dict[str, Callable[[], str]] = {
    "one text": lambda: json.dumps({"role": "user", "content": "a" * (MEBIBYTE - 50)}),
    "lists": lambda: repeated("[12]"),
    "numbers": lambda: repeated("1"),
    "objects": lambda: repeated('{"a":123456}'),
    "short texts": lambda: repeated('{"text":"a"}'),
    "texts in one prompt": lambda: repeated('""', '{"parts":[{"part_kind":"user-prompt","content":[%s]}]}'),
    "marks between steps": lambda: repeated('{"type":"step-start"}'),
    "annotations": lambda: repeated(
        '{"type":"url_citation","url":""}', '{"role":"a","content":[{"type":"text","text":"","annotations":[%s]}]}'
    ),
    "calls": lambda: repeated('{"id":"a","name":"","args":1}', '{"type":"ai","content":[],"tool_calls":[%s]}'),
    "messages in messages": lambda: repeated('{"type":"step-start"}', '{"messages":[' * 90 + "%s" + "]}" * 90),
    "keys": lambda: "{" + ",".join(f'"{n:06}":1' for n in range(95_000)) + "}",
    "JSON in a text": lambda: json.dumps(
        [{"type": "function_call", "call_id": "c", "name": "n", "arguments": f"[{'[12],' * 200_000}1]"}]
    ),
    "deep lists and numbers": lambda: repeated("[" * 190 + "]" * 190 + ",1" * 191),
    "messages without parts": lambda: repeated('{"type":"ai","content":""}'),
    "U+0000 and lists": lambda: repeated("[12]", '["\\u0000",%s]'),
    "U+0000 and texts": lambda: repeated('"\\u0000"'),
    "a long number and numbers": lambda: repeated("1", "[99999999999999999999,%s]"),
    "a number beyond a double and numbers": lambda: repeated("1", "[1e400,%s]"),
    "long numbers": lambda: numbered(lambda n: str(10**20 + n)),
    "numbers of 19 digits beyond 64 bits": lambda: numbered(lambda n: str(9_999 * 10**15 + n)),
    "numbers of 19 digits, of 64 bits": lambda: numbered(lambda n: str(9 * 10**18 + n)),
    "numbers beyond a double": lambda: numbered(lambda n: f"{n}e999"),
    "1e400": lambda: repeated("1E400"),
    "numbers near the largest double": lambda: numbered(lambda n: f"{n}e30{n % 10}"),
    "numbers near the largest double, with 300 digits": lambda: numbered(lambda n: f"{10**299 + n}.0"),
    "numbers halfway between two doubles": lambda: numbered(lambda n: f"{(2 * n + 2**53 + 1) * 2**969}.0"),
    "0e999": lambda: numbered(lambda n: f"0e{100 + n}"),
    "numbers with small exponents": lambda: repeated("1e-400", "[1e999,%s]"),
    "numbers with exponents": lambda: repeated("1e9", "[1e999,%s]"),
    "numbers with fractions": lambda: repeated("1.5", "[1e999,%s]"),
    "negative zeros": lambda: repeated("-0", "[1e999,%s]"),
    "numbers of 17 digits": lambda: numbered(lambda n: f"0.{10**16 + n}"),
    "numbers of 4300 digits": lambda: repeated("1" * 4300),
    "one number": lambda: "[" + "1" * (MEBIBYTE - 2) + "]",
    "objects, and a number beyond a double": lambda: repeated('{"a":123456}', "[1e999,%s]"),
    "objects before a number beyond a double": lambda: repeated('{"a":123456}', "[%s,1e999]"),
    "objects of numbers beyond a double": lambda: numbered(lambda n: f'{{"":{n}e999}}'),
    "texts like numbers beyond a double": lambda: numbered(lambda n: f'"{n}e999"', "[1e999,%s]"),
    "numbers beyond a double that are no JSON": lambda: numbered(lambda n: f"{n}e999", "%s"),
    "NaN": lambda: repeated("NaN"),
    "NaN with a sign": lambda: repeated("-NaN"),
    "objects of NaN": lambda: "[" + ",".join(['{"":NaN}'] * 5_000 + ['{"a":123456}'] * 75_000) + "]",
    "an open list": lambda: repeated("1", "[%s"),
    "half surrogate pairs": lambda: repeated('"\\ud800"'),
    "half surrogate pairs, and a number beyond a double": lambda: repeated('"\\ud800"', "[1e999,%s]"),
    "one text of escapes": lambda: '["' + "\\ud83d\\ude00" * (MEBIBYTE // 12 - 1) + '"]',
    "one key, many times": lambda: repeated('"":1', "{%s}"),
    "empty texts": lambda: repeated('""', "[1e999,%s]"),
    "spaces": lambda: "[" + " " * (MEBIBYTE - 2) + "]",
    "base64": lambda: json.dumps({"content": [{"type": "image_url", "image_url": f"data:;base64,{'=' * 10**6}"}]}),
    "deep objects": lambda: repeated('{"abcdefg":' * 190 + "1" + "}" * 190),
    "texts of NaN and objects in calls": lambda: repeated(call("[NaN," + ",".join(['{"a":123456}'] * 70) + "]")),
    "texts of NaN in calls": lambda: repeated(call("NaN")),
    "texts of lists in calls": lambda: repeated(call("[" + "[12]," * 201 + "1]")),
    "texts of long numbers in a call": lambda: f"[{call(numbered(lambda n: str(10**19 + n))[:-200] + ']')}]",
    "calls and objects": lambda: "[" + ",".join([call("")] * 4_900 + ['{"a":123456}'] * 49_000) + "]",
    "messages and objects": lambda: (
        "[" + ",".join(['{"type":"ai","content":""}'] * 4_900 + ['{"a":123456}'] * 68_000) + "]"
    ),
    "messages and texts": lambda: (
        "[1e999," + ",".join(['{"type":"ai","data":{"content":""}}'] * 4_900 + ['""'] * 280_000) + "]"
    ),
    "annotations that cite nothing": lambda: repeated(CITED, '{"role":"a","content":[%s]}'),
    "attachments without content": lambda: repeated("1", '{"role":"user","content":[],"attachments":[%s]}'),
    "steps without usage": lambda: repeated("1", '{"role":"a","content":[],"metadata":{"steps":[%s]}}'),
    "metadata in metadata": lambda: metadata(15),
    "calls that are in the content": lambda: repeated(
        '{"id":"abcd"}', '{"type":"ai","content":[{"id":"abcd"}],"tool_calls":[%s]}'
    ),
    "citations without sources": lambda: repeated(
        "1,1,1,1,1,{}", '{"parts":[{"part_kind":"text","content":"","citations":[%s]}]}'
    ),
}
