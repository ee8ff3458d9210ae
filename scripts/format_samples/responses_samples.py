"""Samples of OpenAI Responses and Conversations."""

import json
import typing
from typing import Any

from openai.types.conversations import ConversationItem
from openai.types.responses import Response, ResponseItem, ResponseOutputItem
from pydantic import TypeAdapter

from scripts.format_samples.story import (
    ANSWER,
    ARGUMENTS,
    CALL,
    IMAGE,
    QUESTION,
    RESULT,
    SOURCE,
    THOUGHT,
    USAGE,
    Entry,
    assistant,
    kinds_of,
    story_of,
    user,
    write,
)

ITEMS = TypeAdapter(list[ConversationItem])
OUTPUT = TypeAdapter(list[ResponseOutputItem])
CONTENT = [
    {
        "type": "output_text",
        "text": ANSWER,
        "annotations": [{"type": "url_citation", "start_index": 0, "end_index": 5, **SOURCE}],
    }
]
THOUGHT_ITEM = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": THOUGHT}]}
CALL_ITEM = {
    "type": "function_call",
    "id": "fc",
    "status": "completed",
    "call_id": CALL["id"],
    "name": CALL["name"],
    "arguments": ARGUMENTS,
}
RESULT_ITEM = {"type": "function_call_output", "id": "o", "call_id": CALL["id"], "output": json.dumps(RESULT)}
MESSAGE = {"type": "message", "status": "completed"}
ANSWER_ITEM = MESSAGE | {"id": "m", "role": "assistant", "content": CONTENT}
QUESTION_ITEM = MESSAGE | {"id": "q", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}


def checked(adapter: TypeAdapter[Any], *items: Entry) -> list[Entry]:
    """The items as the models of the SDK dump them."""
    dumped: list[Entry] = adapter.dump_python(adapter.validate_python(items), mode="json", warnings=False)
    return dumped


def response(*output: Entry) -> Entry:
    usage = {"input_tokens": USAGE["input"], "output_tokens": USAGE["output"], "total_tokens": 42}
    usage |= {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}
    fields = {"object": "response", "created_at": 0, "model": "m", "parallel_tool_calls": True, "tool_choice": "auto"}
    whole = {"id": "r", "tools": [], "usage": usage, "output": output, **fields}
    return Response.model_validate(whole).model_dump(mode="json", warnings=False)


def write_responses() -> None:
    (question, called) = checked(ITEMS, QUESTION_ITEM, {**RESULT_ITEM, "status": "completed"})
    answers = response(THOUGHT_ITEM, CALL_ITEM), response(ANSWER_ITEM)
    kinds = kinds_of(typing.get_args(ResponseOutputItem)[0]) + kinds_of(typing.get_args(ResponseItem)[0])
    more = checked(OUTPUT, *response_items())
    write("openai_responses", "openai", story_of([question, answers[0], called, answers[1]]), more, kinds)


def write_conversations() -> None:
    """A page of a conversation's items, as the API lists them."""
    question, *others, answered = checked(
        ITEMS, QUESTION_ITEM, THOUGHT_ITEM, CALL_ITEM, {**RESULT_ITEM, "status": "completed"}, ANSWER_ITEM
    )
    messages = [user(question), assistant({"object": "list", "data": others}), assistant(answered)]
    write("openai_conversations", "openai", messages, kinds=kinds_of(typing.get_args(ConversationItem)[0]))


def response_items() -> list[Entry]:
    """Items of every kind that a tool of OpenAI makes."""
    call = {"id": "i1", "call_id": "c1", "status": "completed"}
    return [
        {**call, "type": "web_search_call", "action": {"type": "search", "query": "Oslo"}},
        {
            **call,
            "type": "file_search_call",
            "queries": ["Oslo"],
            "results": [{"file_id": "f", "filename": "oslo.pdf"}],
        },
        {
            **call,
            "type": "code_interpreter_call",
            "container_id": "c",
            "code": "1",
            "outputs": [{"type": "logs", "logs": "1"}],
        },
        {**call, "type": "image_generation_call", "output_format": "png", "result": IMAGE},
        {**call, "type": "mcp_call", "server_label": "s", "name": "find", "arguments": ARGUMENTS, "output": "found"},
        {**call, "type": "mcp_list_tools", "server_label": "s", "tools": []},
        {**call, "type": "custom_tool_call", "name": "find", "input": "Oslo ["},
        {**call, "type": "custom_tool_call_output", "output": "found"},
        {**call, "type": "computer_call", "action": {"type": "wait"}, "pending_safety_checks": []},
        {**call, "type": "computer_call_output", "output": {"type": "computer_screenshot", "file_id": "f"}},
        {**call, "type": "shell_call", "action": {"commands": ["ls"], "timeout_ms": 1, "max_output_length": 1}},
        {**call, "type": "shell_call_output", "output": []},
        {**call, "type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
        {**call, "type": "apply_patch_call_output", "output": "done"},
        {**call, "type": "local_shell_call", "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"id": "c1", "type": "local_shell_call_output", "output": "a"},
        {**call, "type": "tool_search_call", "arguments": {}, "execution": "server"},
        {**call, "type": "tool_search_output", "tools": [], "execution": "server"},
        {**call, "type": "program", "code": "1", "fingerprint": "f"},
        {**call, "type": "program_output", "result": "1"},
        {"id": "i1", "type": "compaction", "encrypted_content": "e"},
    ]
