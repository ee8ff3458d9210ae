"""AI SDK: the chunks of a stream (`UIMessageChunk`) become the `UIMessage` that `readUIMessageStream` makes of them.

https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
"""

from collections.abc import Callable, Iterable
from typing import Any

from app.documents.format import JsonObject
from app.documents.parsing import parse

SOURCE = ("sourceId", "mediaType", "url", "title", "filename", "providerMetadata")
FILE = ("mediaType", "url", "providerMetadata")
COPIED = {
    **dict.fromkeys(("source-url", "source-document"), SOURCE),
    **dict.fromkeys(("file", "reasoning-file"), FILE),
    "custom": ("kind", "providerMetadata"),
    "steering-message": ("id", "parts"),
}
"""By the type of a chunk that is a part: the members that the part keeps."""
REPLACED = ("input", "output", "errorText", "rawInput", "inputEncoding", "preliminary")
"""Members of a call that are those of its newest chunk."""
KEPT = ("title", "toolMetadata", "providerExecuted")
"""Members of a call that stay until a chunk has others."""
APPROVAL = {
    "approvalDescriptor": "descriptor",
    "inputSchemaInput": "inputSchemaInput",
    "reason": "requestReason",
    "isAutomatic": "isAutomatic",
    "signature": "signature",
}


def fold(chunks: Iterable[Any]) -> JsonObject | None:
    """The message of these chunks; None if it has no part. A text that has not ended keeps the state `streaming`."""
    folding = Folding()
    for chunk in chunks:
        if isinstance(chunk, dict) and isinstance(kind := chunk.get("type"), str):
            folding.add(kind, chunk)
    return folding.message()


class Folding:
    """A message that grows; each chunk takes a time that does not depend on the chunks before it.

    Until the end, `text` of a part and `rawInput` of a call are lists of their pieces.
    """

    def __init__(self) -> None:
        self._id = ""
        self._metadata: Any = None
        self._parts: list[JsonObject] = []
        self._step_start = 0
        self._open: dict[tuple[str, str], JsonObject] = {}
        """The texts that have not ended, by kind and id."""
        self._calls: dict[str, JsonObject] = {}
        self._approvals: dict[str, JsonObject] = {}
        self._data: dict[tuple[str, str], JsonObject] = {}

    def add(self, kind: str, chunk: JsonObject) -> None:
        """Adds one chunk; a chunk of an unknown type or shape changes nothing."""
        if kind in COPIED:
            self._parts.append({"type": kind, **_members(chunk, COPIED[kind])})
        elif kind.startswith("data-"):
            self._add_data(kind, chunk)
        elif (change := CHANGES.get(kind)) is not None:
            change(self, chunk)

    def message(self) -> JsonObject | None:
        """The message so far."""
        if not self._parts:
            return None
        for part in self._parts:
            if part["type"] in ("text", "reasoning"):
                part["text"] = "".join(part["text"])
            _close_input(part)
        message = {"id": self._id, "role": "assistant", "parts": self._parts}
        return message if self._metadata is None else {**message, "metadata": self._metadata}

    def start(self, chunk: JsonObject) -> None:
        if isinstance(found := chunk.get("messageId"), str):
            self._id = found
        self.set_metadata(chunk)

    def set_metadata(self, chunk: JsonObject) -> None:
        if (metadata := chunk.get("messageMetadata")) is not None:
            self._metadata = _merged(self._metadata, metadata)

    def start_step(self, _chunk: JsonObject) -> None:
        self._parts.append({"type": "step-start"})
        self._step_start = len(self._parts)

    def reset_step(self, _chunk: JsonObject) -> None:
        """Drops what the step has made; the producer makes it once more."""
        del self._parts[self._step_start :]
        kept = {id(part) for part in self._parts}
        self._calls = {key: part for key, part in self._calls.items() if id(part) in kept}
        self._approvals = {key: part for key, part in self._approvals.items() if id(part) in kept}
        self._data = {key: part for key, part in self._data.items() if id(part) in kept}
        self._open.clear()

    def start_text(self, chunk: JsonObject) -> JsonObject:
        kind, name = chunk["type"].partition("-")[0], str(chunk.get("id"))
        own_id = {"id": name} if kind == "reasoning" else {}
        part = {"type": kind, **own_id, "text": [], **_members(chunk, ("providerMetadata",)), "state": "streaming"}
        self._open[kind, name] = part
        self._parts.append(part)
        return part

    def add_text(self, chunk: JsonObject) -> None:
        if not isinstance(delta := chunk.get("delta"), str):
            return
        part = self._open.get((chunk["type"].partition("-")[0], str(chunk.get("id"))))
        part = part or self.start_text(chunk)
        part["text"].append(delta)
        part |= _members(chunk, ("providerMetadata",))

    def end_text(self, chunk: JsonObject) -> None:
        part = self._open.pop((chunk["type"].partition("-")[0], str(chunk.get("id"))), None)
        if part is not None:
            part |= {**_members(chunk, ("providerMetadata", "citations")), "state": "done"}

    def start_input(self, chunk: JsonObject) -> None:
        if (part := self._call(chunk)) is not None:
            _update(part, "input-streaming", _members(chunk, ("inputEncoding", "providerMetadata", *KEPT)))

    def add_input(self, chunk: JsonObject) -> None:
        part = self._calls.get(str(chunk.get("toolCallId")))
        if (
            part is not None
            and part["state"] == "input-streaming"
            and isinstance(delta := chunk.get("inputTextDelta"), str)
        ):
            part.setdefault("rawInput", []).append(delta)

    def set_input(self, chunk: JsonObject) -> None:
        state = "output-error" if chunk["type"] == "tool-input-error" else "input-available"
        if (part := self._call(chunk)) is not None:
            _update(part, state, _members(chunk, ("input", "errorText", "providerMetadata", *KEPT)))

    def set_output(self, chunk: JsonObject) -> None:
        is_error = chunk["type"] == "tool-output-error"
        if (part := self._calls.get(str(chunk.get("toolCallId")))) is not None:
            _close_input(part)
            before = _members(part, ("input", "rawInput") if is_error else ("input",))
            output = _members(chunk, ("errorText" if is_error else "output", "preliminary", "providerMetadata", *KEPT))
            _update(part, "output-error" if is_error else "output-available", before | output)

    def deny_output(self, chunk: JsonObject) -> None:
        if (part := self._calls.get(str(chunk.get("toolCallId")))) is not None:
            part["state"] = "output-denied"

    def request_approval(self, chunk: JsonObject) -> None:
        if (part := self._calls.get(str(chunk.get("toolCallId")))) is not None:
            members = {own: chunk[name] for name, own in APPROVAL.items() if chunk.get(name) is not None}
            part |= {"state": "approval-requested", "approval": {"id": chunk.get("approvalId"), **members}}
            self._approvals[str(chunk.get("approvalId"))] = part

    def answer_approval(self, chunk: JsonObject) -> None:
        if (part := self._approvals.get(str(chunk.get("approvalId")))) is not None:
            part["approval"] |= _members(chunk, ("approved", "reason"))
            part |= {"state": "approval-responded", **_members(chunk, ("providerExecuted",))}

    def _call(self, chunk: JsonObject) -> JsonObject | None:
        """The part of a call, new if this step has none with its id."""
        match chunk:
            case {"toolCallId": str(call_id), "toolName": str(name)}:
                part = self._calls.get(call_id)
                if part is None:
                    own = (
                        {"type": "dynamic-tool", "toolName": name} if chunk.get("dynamic") else {"type": f"tool-{name}"}
                    )
                    part = self._calls[call_id] = {**own, "toolCallId": call_id}
                    self._parts.append(part)
                return part
        return None

    def _add_data(self, kind: str, chunk: JsonObject) -> None:
        """A part of data; a later chunk with its id replaces the data. What is transient is not kept."""
        if chunk.get("transient") or "data" not in chunk:
            return
        key = (kind, str(chunk["id"])) if "id" in chunk else None
        if key is not None and (part := self._data.get(key)) is not None:
            part["data"] = chunk["data"]
            return
        part = {"type": kind, **_members(chunk, ("id", "data"))}
        self._parts.append(part)
        if key is not None:
            self._data[key] = part


CHANGES: dict[str, Callable[[Folding, JsonObject], object]] = {
    "start": Folding.start,
    "finish": Folding.set_metadata,
    "message-metadata": Folding.set_metadata,
    "start-step": Folding.start_step,
    "reset-step": Folding.reset_step,
    **dict.fromkeys(("text-start", "reasoning-start"), Folding.start_text),
    **dict.fromkeys(("text-delta", "reasoning-delta"), Folding.add_text),
    **dict.fromkeys(("text-end", "reasoning-end"), Folding.end_text),
    "tool-input-start": Folding.start_input,
    "tool-input-delta": Folding.add_input,
    **dict.fromkeys(("tool-input-available", "tool-input-error"), Folding.set_input),
    **dict.fromkeys(("tool-output-available", "tool-output-error"), Folding.set_output),
    "tool-output-denied": Folding.deny_output,
    "tool-approval-request": Folding.request_approval,
    "tool-approval-response": Folding.answer_approval,
}
NOT_KEPT = frozenset({"finish-step", "abort", "error"})
"""Chunks of which a message has nothing."""


def _members(chunk: JsonObject, names: Iterable[str]) -> JsonObject:
    return {name: chunk[name] for name in names if name in chunk}


def _close_input(part: JsonObject) -> None:
    """Joins the pieces of an input; the input is what they mean, if they are complete."""
    if isinstance(pieces := part.get("rawInput"), list):
        part["rawInput"] = text = "".join(pieces)
        value = text if part.get("inputEncoding") == "text" else parse(text)
        if value is not None:
            part["input"] = value


def _update(part: JsonObject, state: str, values: JsonObject) -> None:
    part["state"] = state
    for name in REPLACED:
        part.pop(name, None)
    metadata = values.pop("providerMetadata", None)
    part |= values
    if metadata is not None:
        part["resultProviderMetadata" if state.startswith("output-") else "callProviderMetadata"] = metadata


def _merged(base: Any, new: Any) -> Any:
    """Objects are merged at every level, in place; anything else is replaced."""
    if not isinstance(base, dict) or not isinstance(new, dict):
        return new
    for name, value in new.items():
        base[name] = _merged(base.get(name), value)
    return base
