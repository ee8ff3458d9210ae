"""Samples of pydantic-ai: a run of an agent whose model is a function."""

import json
import re
from pathlib import Path
from typing import Any

import pydantic_ai
from pydantic_ai import messages
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from scripts.format_samples.story import (
    ANSWER,
    CALL,
    QUESTION,
    RESULT,
    SOURCE,
    STORY,
    THOUGHT,
    USAGE,
    story_of,
    write,
)

SOURCE_FILE = Path(messages.__file__)
KINDS = re.findall(r"part_kind: Literal\['([\w-]+)'", SOURCE_FILE.read_text())
IMAGE_PART = messages.BinaryContent(bytes(8), media_type="image/png")


def respond(history: Any, info: Any) -> Any:
    usage = RequestUsage(input_tokens=USAGE["input"], output_tokens=USAGE["output"])
    call = messages.ToolCallPart(CALL["name"], CALL["input"], tool_call_id=CALL["id"])
    thought = messages.ThinkingPart(THOUGHT)
    source = messages.WebCitationSource(SOURCE["url"], title=SOURCE["title"])
    answer = messages.TextPart(ANSWER, citations=[messages.Citation([source])])
    parts = [answer] if len(history) > 1 else [thought, call]
    return messages.ModelResponse(parts, usage=usage)


async def write_pydantic_ai() -> None:
    agent = pydantic_ai.Agent(FunctionModel(respond), system_prompt=STORY["instructions"])

    @agent.tool_plain
    def weather(city: str) -> dict[str, int]:
        return RESULT

    ran = await agent.run([QUESTION, IMAGE_PART])
    entries = story_of(json.loads(ran.all_messages_json()))
    write("pydantic_ai", "pydantic-ai-slim", entries, other_messages(), KINDS)


def other_messages() -> Any:
    request = messages.ModelRequest(
        [
            messages.RetryPromptPart("no such city", tool_name="weather", tool_call_id="c1"),
            messages.RetryPromptPart("answer with a number"),
            messages.UserPromptPart(
                [
                    messages.ImageUrl("https://tea.example/a.png"),
                    messages.DocumentUrl("https://tea.example/a.pdf"),
                    messages.CachePoint(),
                ]
            ),
        ]
    )
    answered = messages.ModelResponse(
        [
            messages.NativeToolCallPart("web_search", {"query": "Oslo"}, tool_call_id="s1"),
            messages.NativeToolReturnPart("web_search", ["found"], tool_call_id="s1"),
            messages.FilePart(IMAGE_PART),
            messages.SpeechPart(
                speaker="assistant",
                transcript=ANSWER,
                audio=messages.BinaryContent(bytes(8), media_type="audio/wav"),
            ),
            messages.CompactionPart("earlier"),
        ]
    )
    return messages.ModelMessagesTypeAdapter.dump_python([request, answered], mode="json")
