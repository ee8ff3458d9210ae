"""Samples of LangChain."""

import json
import re
from pathlib import Path

import langchain_core.messages as langchain
from langchain_core.load import dumpd
from langchain_core.messages import content as langchain_content

from scripts.format_samples.story import (
    ANSWER,
    CALL,
    IMAGE,
    QUESTION,
    RESULT,
    SOURCE,
    THOUGHT,
    USAGE,
    Entry,
    story_of,
    write,
)


def write_langchain() -> None:
    usage = {"input_tokens": USAGE["input"], "output_tokens": USAGE["output"], "total_tokens": 42}
    thought = {"type": "reasoning", "reasoning": THOUGHT}
    cited = {"type": "text", "text": ANSWER, "annotations": [{"type": "citation", **SOURCE}]}
    call = {"name": CALL["name"], "args": CALL["input"], "id": CALL["id"], "type": "tool_call"}
    story = [
        langchain.HumanMessage(
            [
                {"type": "text", "text": QUESTION},
                langchain_content.create_image_block(base64=IMAGE, mime_type="image/png"),
            ]
        ),
        langchain.AIMessage([thought], tool_calls=[call], usage_metadata=usage),
        langchain.ToolMessage(json.dumps(RESULT), tool_call_id=CALL["id"]),
        langchain.AIMessage([cited], usage_metadata=usage),
    ]
    spellings = {
        "langchain_constructor": [dumpd(each) for each in story],
        "langchain_stored": langchain.messages_to_dict(story),
        "langchain_dump": [each.model_dump(mode="json") for each in story],
    }
    for name, documents in spellings.items():
        more = other_messages() if name == "langchain_constructor" else []
        write(name, "langchain-core", story_of(documents), more, kinds())


def other_messages() -> list[Entry]:
    call = {"name": CALL["name"], "args": CALL["input"], "id": CALL["id"], "type": "tool_call"}
    provider = langchain.AIMessage(
        [
            {"type": "text", "text": "One moment."},
            {"type": "tool_use", "id": CALL["id"], "name": CALL["name"], "input": CALL["input"]},
        ],
        tool_calls=[call],
    )
    failed = langchain.ToolMessage("no such city", tool_call_id=CALL["id"], status="error")
    parts = [
        langchain_content.create_file_block(url="https://tea.example/a.pdf", mime_type="application/pdf"),
        langchain_content.create_plaintext_block(text="notes", title="notes"),
        langchain_content.create_audio_block(base64=IMAGE, mime_type="audio/wav"),
        langchain_content.create_video_block(file_id="f"),
        langchain_content.create_non_standard_block({"odd": 1}),
    ]
    server = [
        {"type": "server_tool_call", "id": "s1", "name": "web_search", "args": {"query": "Oslo"}},
        {"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": ["found"]},
        {"type": "invalid_tool_call", "id": "s2", "name": "weather", "args": "{", "error": "no JSON"},
    ]
    return [dumpd(each) for each in (provider, failed, langchain.HumanMessage(parts), langchain.AIMessage(server))]


def kinds() -> list[str]:
    found = re.findall(r'\n    type: Literal\["([\w-]+)"', Path(langchain_content.__file__).read_text())
    return [name for name in found if name not in ("citation", "non_standard_annotation")]
