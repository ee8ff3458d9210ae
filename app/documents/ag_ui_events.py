"""AG-UI: the events of a run become the messages that the client makes of them.

https://docs.ag-ui.com/concepts/events
"""

from collections.abc import Callable, Iterable
from typing import Any

from app.documents.format import JsonObject


def fold(events: Iterable[Any]) -> Any | None:
    """The message of these events, or the list of messages if there are several; None for none."""
    folding = Folding()
    for event in events:
        if isinstance(event, dict) and isinstance(kind := event.get("type"), str) and kind in CHANGES:
            CHANGES[kind](folding, event)
    return folding.messages()


class Folding:
    """Messages that grow; each event takes a time that does not depend on the events before it."""

    def __init__(self) -> None:
        self._messages: dict[str, JsonObject] = {}
        self._calls: dict[str, JsonObject] = {}
        self._callers: dict[str, str] = {}
        """The id of the message with a call, by the id of the call."""
        self._results: dict[str, list[JsonObject]] = {}
        """The results of the calls of a message, which follow it, by its id."""
        self._contents: dict[str, list[str]] = {}
        """The pieces of the content, by the id of the message."""
        self._arguments: dict[str, list[str]] = {}
        """The pieces of the arguments, by the id of the call."""
        self._newest: dict[str, str] = {}
        """The id of the message or call that chunks without an id continue, by the kind of event."""

    def messages(self) -> Any | None:
        """The messages so far."""
        for name, pieces in self._contents.items():
            self._messages[name]["content"] = "".join(pieces)
        for name, pieces in self._arguments.items():
            self._calls[name]["function"]["arguments"] = "".join(pieces)
        found = [each for name, message in self._messages.items() for each in [message, *self._results.get(name, ())]]
        return found[0] if len(found) == 1 else found or None

    def start_text(self, event: JsonObject) -> JsonObject | None:
        """The message of a text, new if there is none with its id."""
        is_reasoning = event["type"].startswith("REASONING")
        default = "reasoning" if is_reasoning else "assistant"
        role = event["role"] if isinstance(event.get("role"), str) else default
        if (message := self._message(event.get("messageId"), role)) is not None:
            self._contents.setdefault(message["id"], [])
        return message

    def add_text(self, event: JsonObject) -> None:
        message = self.start_text(event)
        if message is not None and isinstance(delta := event.get("delta"), str):
            self._contents[message["id"]].append(delta)

    def start_call(self, event: JsonObject) -> None:
        match event:
            case {"toolCallId": str(call_id), "toolCallName": str(name)} if call_id not in self._calls:
                parent = event.get("parentMessageId")
                message = self._message(parent if isinstance(parent, str) else call_id, "assistant")
                call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
                self._calls[call_id], self._arguments[call_id] = call, []
                if message is not None:
                    self._callers[call_id] = message["id"]
                    message.setdefault("toolCalls", []).append(call)

    def add_arguments(self, event: JsonObject) -> None:
        pieces = self._arguments.get(str(event.get("toolCallId")))
        if pieces is not None and isinstance(delta := event.get("delta"), str):
            pieces.append(delta)

    def add_result(self, event: JsonObject) -> None:
        match event:
            case {"messageId": str(name), "toolCallId": str(call_id), "content": content}:
                result = {"toolCallId": call_id, "role": "tool", "content": content}
                if (caller := self._callers.get(call_id)) is None:
                    self._replace(name, result)
                else:
                    self._results.setdefault(caller, []).append({"id": name, **result})

    def set_activity(self, event: JsonObject) -> None:
        match event:
            case {"messageId": str(name), "activityType": str(kind), "content": content}:
                if name not in self._messages or event.get("replace") is not False:
                    self._replace(name, {"role": "activity", "activityType": kind, "content": content})

    def add_chunk(self, event: JsonObject) -> None:
        """A start, when the id is new, and a piece; without an id the piece continues the chunk before."""
        field = "toolCallId" if event["type"] == "TOOL_CALL_CHUNK" else "messageId"
        name = event.get(field) or self._newest.get(event["type"])
        if not isinstance(name, str):
            return
        self._newest[event["type"]] = name
        event = {**event, field: name}
        if field == "toolCallId":
            self.start_call(event)
            self.add_arguments(event)
        else:
            self.add_text(event)

    def _replace(self, name: str, members: JsonObject) -> None:
        self._messages[name] = {"id": name, **members}
        self._contents.pop(name, None)

    def _message(self, name: Any, role: str) -> JsonObject | None:
        """The message with this id, new if there is none."""
        if not isinstance(name, str):
            return None
        return self._messages.setdefault(name, {"id": name, "role": role})


CHANGES: dict[str, Callable[[Folding, JsonObject], object]] = {
    **dict.fromkeys(("TEXT_MESSAGE_START", "REASONING_MESSAGE_START"), Folding.start_text),
    **dict.fromkeys(("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT"), Folding.add_text),
    **dict.fromkeys(("TEXT_MESSAGE_CHUNK", "REASONING_MESSAGE_CHUNK", "TOOL_CALL_CHUNK"), Folding.add_chunk),
    "TOOL_CALL_START": Folding.start_call,
    "TOOL_CALL_ARGS": Folding.add_arguments,
    "TOOL_CALL_RESULT": Folding.add_result,
    "ACTIVITY_SNAPSHOT": Folding.set_activity,
}
