"""OpenAI chat completions, and the servers that are compatible with them.

https://platform.openai.com/docs/api-reference/chat
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, member
from app.documents.text import refusal, sources, typed_text
from app.documents.usage import usage_reader


def _message(answer: JsonObject) -> Any | None:
    match answer:
        case {"choices": [{"message": dict(message)}, *_]}:
            return message
    return None


def _tool_contents(message: JsonObject) -> list[Any] | None:
    match message:
        case {"role": "tool" | "function", "tool_call_id": str(call_id), "content": content}:
            return [{"type": "function_call_output", "call_id": call_id, "output": content}]
    return None


def _contents(message: JsonObject) -> list[Any] | None:
    """What a message contains beside `content` too. `reasoning_content` comes from compatible servers (DeepSeek)."""
    if not isinstance(message.get("role"), str):
        return None
    thought, audio = message.get("reasoning_content"), message.get("audio")
    reasoning = {"type": "reasoning", "text": thought} if isinstance(thought, str) and thought else None
    sound = [{"type": "output_audio", **audio}] if isinstance(audio, dict) else None
    cited = {"type": "annotations", "annotations": message.get("annotations")} if message.get("annotations") else None
    return [reasoning, message.get("content"), message.get("refusal"), sound, cited, message.get("tool_calls")]


def _annotations(part: JsonObject) -> list[Block] | None:
    return sources(part.get("annotations"))


def _tool_call(part: JsonObject) -> list[Block] | None:
    match part:
        case {"id": str(call_id), "function": {"name": str(name), **rest}}:
            return [blocks.tool_use(call_id, name, rest.get("arguments"))]
        case {"id": str(call_id), "custom": {"name": str(name), **rest}}:
            return [blocks.tool_use(call_id, name, rest.get("input"))]
    return None


def _image(part: JsonObject) -> list[Block] | None:
    image = part.get("image_url")
    url = image if isinstance(image, str) else member(image, "url")
    return [blocks.linked_media(url, blocks.ANY_IMAGE)] if isinstance(url, str) else None


def _input_audio(part: JsonObject) -> list[Block] | None:
    match part:
        case {"input_audio": {"format": str(form), **rest}}:
            return [blocks.media(f"audio/{form}", data=rest.get("data"))]
    return None


def _output_audio(part: JsonObject) -> list[Block] | None:
    match part:
        case {"transcript": str(text), "data": str(data)}:
            return [blocks.text_block(text), blocks.media(blocks.ANY_AUDIO, data=data)]
    return None


def _file(part: JsonObject) -> list[Block] | None:
    return [linked_file(file)] if isinstance(file := part.get("file"), dict) else None


def linked_file(file: JsonObject) -> Block:
    """A file with `filename`, and its content as data URL in `file_data`, if at all."""
    data = file.get("file_data")
    return blocks.linked_media(data if isinstance(data, str) else "", blocks.ANY_FILE, file.get("filename"))


OPENAI = MessageFormat(
    envelopes={"choices": _message},
    messages={
        "tool_call_id": _tool_contents,
        **dict.fromkeys(("reasoning_content", "refusal", "tool_calls", "audio", "annotations"), _contents),
    },
    types={
        "text": typed_text,
        "refusal": refusal,
        "annotations": _annotations,
        "function": _tool_call,
        "custom": _tool_call,
        "image_url": _image,
        "input_audio": _input_audio,
        "output_audio": _output_audio,
        "file": _file,
    },
    usages={"usage": usage_reader("prompt_tokens", "completion_tokens", "total_tokens")},
)
