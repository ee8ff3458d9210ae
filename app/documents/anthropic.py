"""Anthropic Messages: `type` names a part. Its parts of type `text` have the same shape as OpenAI's.

https://docs.anthropic.com/en/api/messages
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import MessageFormat


class Anthropic(MessageFormat):
    """Answers and messages of the Messages API."""

    token_names = (("input_tokens", "output_tokens", "total_tokens"),)

    def block(self, part: Any) -> Block | None:
        match part:
            case {"type": "thinking", "thinking": str(text)}:
                return blocks.reasoning(text)
            case {"type": "redacted_thinking"}:
                return blocks.reasoning("")
            case {
                "type": "tool_use" | "server_tool_use" | "mcp_tool_use",
                "id": str(call_id),
                "name": str(name),
                **rest,
            }:
                return blocks.tool_use(call_id, name, rest.get("input"))
            case {"type": str(kind), "tool_use_id": str(call_id), **rest} if kind.endswith("tool_result"):
                return blocks.tool_result(call_id, rest.get("content"), is_error=rest.get("is_error") is True)
            case {"type": "image" | "document" as kind, "source": {"type": str(), **source}, **rest}:
                own_type = source.get("media_type")
                unnamed = blocks.ANY_IMAGE if kind == "image" else blocks.ANY_FILE
                media_type = own_type if isinstance(own_type, str) else unnamed
                return blocks.media(media_type, rest.get("title"), source.get("data"))
        return None
