"""OpenAI Responses and Conversations: items, and the parts of their messages. `type` names both.

https://platform.openai.com/docs/api-reference/responses, https://platform.openai.com/docs/api-reference/conversations
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, PartReader, items, texts
from app.documents.openai import linked_file
from app.documents.text import typed_text
from app.documents.usage import usage_reader
from app.limits import MAX_BLOCKS

FAILED = ("failed", "incomplete")


def _output(response: JsonObject) -> Any | None:
    match response:
        case {"object": "response", "output": list(output)}:
            return output
    return None


def _page(page: JsonObject) -> Any | None:
    match page:
        case {"object": "list", "data": list(data)}:
            return data
    return None


def _contents(message: JsonObject) -> list[Any] | None:
    match message:
        case {"type": "message", "content": str() | list()}:
            return [message["content"]]
    return None


def _parts(message: JsonObject) -> list[Any] | None:
    return content if isinstance(content := message.get("content"), list) else None


def _reasoning(item: JsonObject) -> list[Block] | None:
    pieces = [*texts(item.get("summary")), *texts(item.get("content"))]
    return [blocks.reasoning("\n".join(pieces))]


def _call(argument: str) -> PartReader:
    """A call of a tool of the client; `argument` is the key of its arguments."""

    def read(item: JsonObject) -> list[Block] | None:
        match item:
            case {"call_id": str(call_id), "name": str(name)}:
                return [blocks.tool_use(call_id, name, item.get(argument))]
        return None

    return read


def _result(key: str) -> PartReader:
    """The result of a call; a local shell has `id` only, which is that of the call."""

    def read(item: JsonObject) -> list[Block] | None:
        call_id = item.get("call_id") or item.get("id")
        if not isinstance(call_id, str):
            return None
        return [blocks.tool_result(call_id, item.get(key), is_error=item.get("status") in FAILED)]

    return read


def _hosted(name: str, argument: str, result: str | None = None) -> PartReader:
    """A call of a tool that OpenAI runs or defines: its arguments, and its result if it is in the same item."""

    def read(item: JsonObject) -> list[Block] | None:
        call_id = item.get("call_id") or item.get("id")
        if not isinstance(call_id, str):
            return None
        found = [blocks.tool_use(call_id, name, item.get(argument))]
        if result and item.get(result) is not None:
            found.append(blocks.tool_result(call_id, item[result], is_error=item.get("status") in FAILED))
        return found

    return read


def _file_search(item: JsonObject) -> list[Block] | None:
    found = _hosted("file_search", "queries", "results")(item)
    cited = [result for result in items(item.get("results"))[:MAX_BLOCKS] if isinstance(result, dict)]
    return found and [*found, *(blocks.source(None, None, result.get("filename")) for result in cited)]


def _mcp_call(item: JsonObject) -> list[Block] | None:
    match item:
        case {"id": str(call_id), "name": str(name)}:
            found = [blocks.tool_use(call_id, name, item.get("arguments"))]
            if (error := item.get("error")) is not None:
                return [*found, blocks.tool_result(call_id, error, is_error=True)]
            output = item.get("output")
            return found if output is None else [*found, blocks.tool_result(call_id, output)]
    return None


def _generated_image(item: JsonObject) -> list[Block] | None:
    call = _hosted("image_generation", "revised_prompt")(item)
    form = item.get("output_format")
    media_type = f"image/{form}" if isinstance(form, str) else blocks.ANY_IMAGE
    return call and [*call, blocks.media(media_type, data=item.get("result"))]


def _image(part: JsonObject) -> list[Block] | None:
    match part:
        case {"image_url": str(url)}:
            return [blocks.linked_media(url, blocks.ANY_IMAGE)]
        case {"file_id": str()}:
            return [blocks.media(blocks.ANY_IMAGE)]
    return None


def _file(part: JsonObject) -> list[Block] | None:
    return [linked_file(part)]


OPENAI_RESPONSES = MessageFormat(
    envelopes={"output": _output, "data": _page},
    messages={"content": _contents},
    nested={"message": _parts},
    types={
        **dict.fromkeys(("input_text", "output_text", "summary_text", "reasoning_text"), typed_text),
        "reasoning": _reasoning,
        "function_call": _call("arguments"),
        "custom_tool_call": _call("input"),
        "function_call_output": _result("output"),
        "custom_tool_call_output": _result("output"),
        "mcp_call": _mcp_call,
        "web_search_call": _hosted("web_search", "action"),
        "file_search_call": _file_search,
        "code_interpreter_call": _hosted("code_interpreter", "code", "outputs"),
        "image_generation_call": _generated_image,
        "computer_call": _hosted("computer", "action"),
        "computer_call_output": _result("output"),
        "local_shell_call": _hosted("local_shell", "action"),
        "local_shell_call_output": _result("output"),
        "shell_call": _hosted("shell", "action"),
        "shell_call_output": _result("output"),
        "apply_patch_call": _hosted("apply_patch", "operation"),
        "apply_patch_call_output": _result("output"),
        "tool_search_call": _hosted("tool_search", "arguments"),
        "tool_search_output": _result("tools"),
        "program": _hosted("program", "code"),
        "program_output": _result("result"),
        "input_image": _image,
        "computer_screenshot": _image,
        "input_file": _file,
    },
    usages={"usage": usage_reader("input_tokens", "output_tokens", "total_tokens")},
)
