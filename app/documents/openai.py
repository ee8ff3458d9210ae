"""OpenAI: chat completions and Responses. `type` names a part.

https://platform.openai.com/docs/api-reference/chat, https://platform.openai.com/docs/api-reference/responses
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import MessageFormat, texts

BESIDE_CONTENT = ("reasoning_content", "refusal", "tool_calls")


class OpenAI(MessageFormat):
    """Answers, chat messages and Responses items. `reasoning_content` comes from compatible servers (DeepSeek)."""

    token_names = (
        ("input_tokens", "output_tokens", "total_tokens"),
        ("prompt_tokens", "completion_tokens", "total_tokens"),
    )

    def message(self, document: Any) -> Any | None:
        match document:
            case {"choices": [{"message": dict(message)}, *_]}:
                return message
            case {"object": "response", "output": list(items)}:
                return {"role": "assistant", "content": items}
        return None

    def contents(self, message: Any) -> list[Any] | None:
        match message:
            case {"role": "tool" | "function", "tool_call_id": str(call_id), "content": content}:
                return [{"type": "function_call_output", "call_id": call_id, "output": content}]
            case {"type": "message", "content": str() | list()}:
                return _contents(message)
            case {"role": str()} if any(name in message for name in BESIDE_CONTENT):
                return _contents(message)
        return None

    def parts(self, part: Any) -> list[Any] | None:
        match part:
            case {"type": "message", "content": list(parts)}:
                return parts
        return None

    def block(self, part: Any) -> Block | None:
        match part:
            case {"type": "text" | "input_text" | "output_text" | "summary_text", "text": str(text)}:
                return blocks.text_block(text)
            case {"type": "refusal", "refusal": str(text)}:
                return blocks.text_block(text)
            case {"type": "reasoning", **rest}:
                pieces = [piece for name in ("summary", "content") for piece in _list(rest.get(name))]
                return blocks.reasoning("\n".join(texts(pieces)))
            case {"type": "function", "id": str(call_id), "function": {"name": str(name), **rest}}:
                return blocks.tool_use(call_id, name, rest.get("arguments"))
            case {"type": "function_call", "call_id": str(call_id), "name": str(name), **rest}:
                return blocks.tool_use(call_id, name, rest.get("arguments"))
            case {"type": "custom_tool_call", "call_id": str(call_id), "name": str(name), **rest}:
                return blocks.tool_use(call_id, name, rest.get("input"))
            case {"type": "function_call_output" | "custom_tool_call_output", "call_id": str(call_id), **rest}:
                return blocks.tool_result(call_id, rest.get("output"))
        return _media(part)


def _contents(message: dict[str, Any]) -> list[Any]:
    """The contents of a chat message; its reasoning as the Responses item of the same meaning."""
    text = message.get("reasoning_content")
    reasoning = {"type": "reasoning", "content": [{"text": text}]} if isinstance(text, str) and text else None
    return [reasoning, message.get("content"), message.get("refusal"), message.get("tool_calls")]


def _media(part: Any) -> Block | None:
    match part:
        case {"type": "image_url", "image_url": {"url": str(url)}} | {"type": "input_image", "image_url": str(url)}:
            return blocks.linked_media(url, blocks.ANY_IMAGE)
        case {"type": "input_image", "file_id": str()}:
            return blocks.media(blocks.ANY_IMAGE)
        case {"type": "input_audio", "input_audio": {"format": str(form), **rest}}:
            return blocks.media(f"audio/{form}", data=rest.get("data"))
        case {"type": "file", "file": dict(file)} | {"type": "input_file", **file}:
            data = file.get("file_data")
            return blocks.linked_media(data if isinstance(data, str) else "", blocks.ANY_FILE, file.get("filename"))
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
