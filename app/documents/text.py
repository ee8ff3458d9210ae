"""Parts that several formats have: text, reasoning, and the sources that they cite."""

from collections.abc import Iterable
from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, items
from app.limits import MAX_BLOCKS

CITATIONS = ("url_citation", "citation", "file_citation", "container_file_citation")


def untyped_text(part: JsonObject) -> list[Block] | None:
    """A part with `text` and no `type`: of Bedrock Converse, or of Gemini, where `thought` marks reasoning."""
    text = part.get("text")
    if not isinstance(text, str):
        return None
    return [blocks.reasoning(text) if part.get("thought") is True else blocks.text_block(text)]


def typed_text(part: JsonObject) -> list[Block] | None:
    """A part with `type` and `text`; with `annotations` of OpenAI or LangChain, or with `citations` of the AI SDK."""
    text = part.get("text")
    if not isinstance(text, str):
        return None
    annotations = part.get("annotations") or part.get("citations")
    return [blocks.text_block(text), *sources(annotations)] if annotations else [blocks.text_block(text)]


def typed_reasoning(part: JsonObject) -> list[Block] | None:
    """A part of type `reasoning` with `text`."""
    return [blocks.reasoning(text)] if isinstance(text := part.get("text"), str) else None


def refusal(part: JsonObject) -> list[Block] | None:
    """A part of type `refusal`: text for people."""
    return [blocks.text_block(text)] if isinstance(text := part.get("refusal"), str) else None


def cited_source(part: JsonObject) -> list[Block] | None:
    """A source as a part of its own, of the AI SDK or assistant-ui."""
    return [blocks.source(part.get("url"), part.get("title"), part.get("filename"))]


def sources(annotations: Any) -> list[Block]:
    """One source for each document that annotations cite, in the order of their first citation."""
    return distinct(map(_source, _citations(items(annotations)[:MAX_BLOCKS])))


def _citations(annotations: list[Any]) -> list[JsonObject]:
    """Without most of what cites nothing, of which a document may have much: `_source` takes 0.4 us."""
    objects = [each for each in annotations if each and isinstance(each, dict)]
    return [each for each in objects if each.get("type") in CITATIONS or isinstance(each.get("source"), dict)]


def distinct(found: Iterable[Block | None]) -> list[Block]:
    """Each source once."""
    return list({tuple(source.values()): source for source in found if source}.values())


def _source(annotation: JsonObject) -> Block | None:
    match annotation:
        case {"source": {"sourceType": "url" | "document", **cited}}:
            return blocks.source(cited.get("url"), cited.get("title"), cited.get("filename"))
        case {"type": "url_citation", "url_citation": {"url": str(url), **rest}}:
            return blocks.source(url, rest.get("title"))
        case {"type": "url_citation" | "citation", "url": str(url)}:
            return blocks.source(url, annotation.get("title"))
        case {"type": "file_citation" | "container_file_citation", "file_id": str()}:
            return blocks.source(None, None, annotation.get("filename"))
        case {"type": "citation", "title": str(title)}:
            return blocks.source(None, title)
    return None
