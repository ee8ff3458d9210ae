"""Gemini: contents of the Gemini API in camel case, as the Python SDK dumps them in snake case, and events of ADK.

https://ai.google.dev/api/caching#Content, https://google.github.io/adk-docs/events/
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import EnvelopeReader, JsonObject, MessageFormat, PartReader, items, member
from app.documents.text import untyped_text
from app.documents.usage import usage_columns

Reader = TypeVar("Reader")
COUNTS = (
    ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"),
    ("prompt_token_count", "candidates_token_count", "thoughts_token_count", "total_token_count"),
)


def _answer(answer: JsonObject) -> Any | None:
    match answer:
        case {"candidates": [{"content": {"parts": list()}} as candidate, *_]}:
            return _event(candidate)
    return None


def _event(event: JsonObject) -> Any | None:
    """The content of an event, and after its parts the documents that it is grounded in."""
    match event:
        case {"content": {"parts": list(parts), **content}}:
            grounding = event.get("groundingMetadata", event.get("grounding_metadata"))
            chunks = member(grounding, "groundingChunks") or member(grounding, "grounding_chunks")
            return {**content, "parts": [*parts, *items(chunks)]}
    return None


def _transcription(key: str) -> EnvelopeReader:
    """The words of an event of a live conversation, which has no content then."""

    def read(event: JsonObject) -> Any | None:
        match event[key]:
            case {"text": str(text)} if not event.get("content"):
                return {"parts": [{"text": text}]}
        return None

    return read


def _transcribed(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        text = member(part[key], "text")
        return [blocks.text_block(text)] if isinstance(text, str) else None

    return read


def _tool_call(key: str) -> PartReader:
    """A call of a tool that Google runs, named by its type."""

    def read(part: JsonObject) -> list[Block] | None:
        call = part[key]
        name = member(call, "toolType") or member(call, "tool_type")
        return [blocks.tool_use(_call_id(call, name), name, call.get("args"))] if isinstance(name, str) else None

    return read


def _tool_response(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        answer = part[key]
        name = member(answer, "toolType") or member(answer, "tool_type")
        if not isinstance(name, str):
            return None
        return [blocks.tool_result(_call_id(answer, name), answer.get("response"))]

    return read


def _function_call(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        match part[key]:
            case {"name": str(name)} as call:
                return [blocks.tool_use(_call_id(call, name), name, call.get("args"))]
        return None

    return read


def _function_response(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        match part[key]:
            case {"name": str(name)} as answer:
                response = answer.get("response")
                is_error = isinstance(response, dict) and "error" in response and "output" not in response
                return [blocks.tool_result(_call_id(answer, name), response, is_error=is_error)]
        return None

    return read


def _call_id(call: JsonObject, name: str) -> str:
    """The Gemini API matches a response to its call by the name of the function where it gives no ids."""
    return call_id if isinstance(call_id := call.get("id"), str) and call_id else name


def _media(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        media = part[key]
        if not isinstance(media, dict):
            return None
        media_type = media.get("mimeType", media.get("mime_type"))
        file_name = media.get("displayName", media.get("display_name"))
        return [blocks.file(media.get("data"), media_type, file_name)]

    return read


def _code(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        return [blocks.tool_use(_code_id(part, key), "code_execution", part[key])] if part[key] else None

    return read


def _code_result(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        if not isinstance(result := part[key], dict):
            return None
        is_error = result.get("outcome") != "OUTCOME_OK"
        return [blocks.tool_result(_code_id(part, key), result.get("output"), is_error=is_error)]

    return read


def _code_id(part: JsonObject, key: str) -> str:
    return call_id if isinstance(call_id := member(part[key], "id"), str) else "code_execution"


def _grounding(key: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        if not isinstance(chunk := part[key], dict):
            return None
        return [blocks.source(chunk.get("uri"), chunk.get("title"))]

    return read


def _usage(usage: Any) -> dict[str, int] | None:
    """Thoughts count as output, as Google bills them."""
    if not isinstance(usage, dict):
        return None
    for read, written, thought, total in COUNTS:
        if read in usage:
            counts = [usage.get(written) or 0, usage.get(thought) or 0]
            output = sum(counts) if all(type(count) is int for count in counts) else None
            return usage_columns(usage[read], output, usage.get(total))
    return None


def _spellings(reader: Callable[[str], Reader], *keys: str) -> dict[str, Reader]:
    """The reader of each key, in camel case and in snake case."""
    snake_case = [re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key) for key in keys]
    return {key: reader(key) for key in (*keys, *snake_case)}


GEMINI = MessageFormat(
    envelopes={
        "candidates": _answer,
        "content": _event,
        **_spellings(_transcription, "inputTranscription", "outputTranscription"),
    },
    keys={
        "text": untyped_text,
        **_spellings(_function_call, "functionCall"),
        **_spellings(_function_response, "functionResponse"),
        **_spellings(_tool_call, "toolCall"),
        **_spellings(_tool_response, "toolResponse"),
        **_spellings(_media, "inlineData", "fileData"),
        **_spellings(_code, "executableCode"),
        **_spellings(_code_result, "codeExecutionResult"),
        **_spellings(_transcribed, "audioTranscription"),
        **_spellings(_grounding, "web", "retrievedContext", "maps"),
    },
    usages={"usageMetadata": _usage, "usage_metadata": _usage},
)
