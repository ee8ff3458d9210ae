"""docs/formats.md, compared with the readers, with the samples, and with the lists of parts of the packages."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from app.documents.pydantic_ai import PARTS
from app.documents.reader import FORMATS, read
from tests.documents.samples_of_formats import SAMPLES, documents
from tests.documents.stored_blocks import blocks_of

PAGE = Path("docs/formats.md").read_text()
OWN = {"annotations", "output_audio"}
"""Parts that no document has in a list: a reader makes them of other keys of a message."""
PARTS_OF_MESSAGES = {"content", "data", "more", "output", "parts", "tool_calls"}
SECTIONS = {
    "adk": "Gemini and ADK",
    "ag": "AG-UI",
    "ai": "AI SDK",
    "anthropic": "Anthropic",
    "assistant": "assistant-ui",
    "gemini": "Gemini and ADK",
    "langchain": "LangChain",
    "openai_chat": "OpenAI chat completions",
    "openai_conversations": "OpenAI Responses",
    "openai_responses": "OpenAI Responses",
    "pydantic": "pydantic-ai",
    "strands": "Bedrock Converse",
}


def table(name):
    """What each part of a format becomes, by its name on the page."""
    section = PAGE.partition(f"\n### {name}\n")[2].partition("\n##")[0]
    rows = re.findall(r"^\| (`.+`) \| (.+) \|$", section, re.M)
    return {part: set(kinds.split(", ")) for parts, kinds in rows for part in re.findall(r"`([^`]+)`", parts)}


def section_of(sample):
    return next(section for prefix, section in SECTIONS.items() if sample.startswith(prefix))


def camel_case(name):
    return re.sub("_(.)", lambda letter: letter[1].upper(), name)


def read_names(name):
    """The parts that a format's reader has."""
    format_ = FORMATS[name]
    if name == "pydantic-ai":
        return set(PARTS)
    keys = {camel_case(key) for key in format_.keys}
    return {*format_.types, *format_.nested, *keys}


def parts_in(value, holder="parts"):
    """The parts of a document, each with its names: its type, or else its keys."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and holder in PARTS_OF_MESSAGES:
                name = item.get("part_kind", item.get("type"))
                names = [name] if name else [camel_case(key) for key in item if item[key] is not None]
                yield from ((name, item) for name in names)
            yield from parts_in(item, holder)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from parts_in(item, key)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "Strands"])
def test_page_has_every_part_that_a_reader_has_and_no_other(name):
    rows = table(name)
    assert {part for part, kinds in rows.items() if kinds != {"other"}} == read_names(name) | (rows.keys() & OWN)
    assert not {part for part, kinds in rows.items() if kinds == {"other"}} & read_names(name)


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_part_that_the_package_lists_is_on_the_page(sample):
    rows = table(section_of(sample))
    kinds = map(camel_case, SAMPLES[sample]["kinds"]) if "gemini" in sample else SAMPLES[sample]["kinds"]
    assert [kind for kind in kinds if not any(fnmatchcase(kind, row) for row in rows)] == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_parts_of_the_samples_become_what_the_page_states(sample):
    rows = table(section_of(sample))
    checked = 0
    for name, part in parts_in(documents(SAMPLES[sample])):
        exact = name if name in rows else None
        row = exact or next((row for row in rows if fnmatchcase(name, row)), None)
        found = {block["kind"] for block in blocks_of(read(json.dumps([part])))}
        if row and rows[row] not in ({"nothing"}, {"its parts"}):
            assert found <= rows[row], (name, part)
            checked += 1
    assert checked >= 3
