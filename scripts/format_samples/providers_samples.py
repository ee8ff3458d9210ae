"""Samples of Anthropic, Strands and OpenAI chat completions."""

import json
import typing
from typing import Any

import anthropic.types as anthropic
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from strands.types.session import SessionMessage

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
    tool,
    user,
    write,
)


def write_anthropic() -> None:
    def message(*content: Entry) -> Entry:
        usage = {"input_tokens": USAGE["input"], "output_tokens": USAGE["output"]}
        fields = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
        return anthropic.Message.model_validate({**fields, "usage": usage, "content": content}).model_dump(mode="json")

    call = {"type": "tool_use", "id": CALL["id"], "name": CALL["name"], "input": CALL["input"]}
    result = anthropic.ToolResultBlockParam(type="tool_result", tool_use_id=CALL["id"], content=json.dumps(RESULT))
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": "s"}
    messages = [
        user({"role": "user", "content": QUESTION}),
        assistant(message(thought, call)),
        tool({"role": "user", "content": [result]}),
        assistant(message({"type": "text", "text": ANSWER})),
    ]
    write("anthropic", "anthropic", messages, kinds=kinds_of(typing.get_args(anthropic.ContentBlock)[0]))


def write_strands() -> None:
    def record(role: typing.Literal["user", "assistant"], *content: Any) -> Entry:
        return SessionMessage.from_message({"role": role, "content": list(content)}, 0).to_dict()

    call = {"toolUse": {"toolUseId": CALL["id"], "name": CALL["name"], "input": CALL["input"]}}
    result = {"toolResult": {"toolUseId": CALL["id"], "status": "success", "content": [{"json": RESULT}]}}
    image = {"image": {"format": "png", "source": {"bytes": bytes(8)}}}
    messages = [
        user(record("user", {"text": QUESTION}, image)),
        assistant(record("assistant", {"reasoningContent": {"reasoningText": {"text": THOUGHT}}}, call)),
        tool(record("user", result)),
        assistant(record("assistant", {"text": ANSWER})),
    ]
    write("strands", "strands-agents", messages)


# OpenAI


def write_chat_completions() -> None:
    def completion(**message: Any) -> Entry:
        usage = {"prompt_tokens": USAGE["input"], "completion_tokens": USAGE["output"], "total_tokens": 42}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
        fields = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "usage": usage}
        return ChatCompletion.model_validate({**fields, "choices": [choice]}).model_dump(mode="json")

    call = {"id": CALL["id"], "type": "function", "function": {"name": CALL["name"], "arguments": ARGUMENTS}}
    cited = {"start_index": 0, "end_index": 5, **SOURCE}
    note = {"type": "url_citation", "url_citation": cited}
    messages = [
        user(
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": QUESTION},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
                ],
            }
        ),
        assistant(completion(content=None, reasoning_content=THOUGHT, tool_calls=[call])),
        tool({"role": "tool", "tool_call_id": CALL["id"], "content": json.dumps(RESULT)}),
        assistant(completion(content=ANSWER, annotations=[note])),
    ]
    sound = {"id": "a", "data": IMAGE, "expires_at": 0, "transcript": ANSWER}
    more = [ChatCompletionMessage.model_validate({"role": "assistant", "audio": sound}).model_dump(mode="json")]
    write("openai_chat", "openai", messages, more)
