"""Calls about messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from colloquy import documents
from colloquy.call import UNSET, Call, Given, Listing, Unset, camel_keys, found, given, mutation, page_of
from colloquy.reading import read
from colloquy.results import Deleted, Message, MessageRole, Page

NOWHERE: Mapping[str, Any] = {"message": None}
NO_PAGE: Mapping[str, Any] = {
    "nodes": [],
    "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
}


def message(
    session_id: str | None = None,
    *,
    session_key: str | None = None,
    id: str | None = None,
    sequence: int | None = None,
    key: str | None = None,
    agent_key: str | None = None,
) -> Call[Message | None]:
    """One message of a session, by exactly one of id, sequence and key (with the agent's, if one wrote it)."""
    where = {"sessionId": session_id, "sessionKey": session_key}
    which = {"id": id, "sequence": sequence, "key": key, "agentKey": agent_key}
    return Call(
        documents.MESSAGE_BY, {**where, **which}, lambda data: found(Message, (data["session"] or NOWHERE)["message"])
    )


def message_page(
    session_id: str | None = None,
    *,
    session_key: str | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    counted: bool = False,
    **filter: Any,
) -> Call[Page[Message] | None]:
    """One page of a session's messages, None without the session; without `first` and `last` the newest 50.

    `filter` as in MessageFilter, in snake_case; a `counted` page knows its total, which costs the server a count.
    """
    where = {"sessionId": session_id, "sessionKey": session_key, "filter": camel_keys(filter)}
    window = {"first": first, "after": after, "last": last, "before": before}
    document = documents.MESSAGES_COUNTED if counted else documents.MESSAGES
    return Call(
        document,
        {**where, **window},
        lambda data: None if data["session"] is None else page_of(Message, data["session"]["messages"]),
    )


def messages(session_id: str, page_size: int = 100, **filter: Any) -> Listing[Message]:
    """All messages of a session, in their order; none where there is no session."""

    def page(**window: Any) -> Call[Page[Message]]:
        asked = message_page(session_id, **window)
        return Call(asked.document, asked.variables, lambda data: asked.take(data) or page_of(Message, NO_PAGE))

    return Listing(page, {"first": page_size, **filter})


def append_message(
    session_id: str,
    role: MessageRole,
    text: str | None = None,
    *,
    raw: str | None = None,
    key: str | None = None,
    agent_key: str | None = None,
    metadata: Given | Unset = UNSET,
    expected_sequence: int | None = None,
    idempotency_key: str | None = None,
) -> Call[Message]:
    """The message, stored: exactly one of text and raw. Sent twice with a key of its own, it is stored once."""
    message = draft(role, text, raw=raw, key=key, agent_key=agent_key, metadata=metadata)
    fields = {"sessionId": session_id, "message": message, "expectedSequence": expected_sequence}
    repeatable = key is not None and expected_sequence is None
    return mutation(documents.APPEND_MESSAGE, fields, _message, idempotency_key, repeatable)


def append_messages(
    session_id: str,
    messages: Sequence[Given],
    *,
    expected_sequence: int | None = None,
    idempotency_key: str | None = None,
) -> Call[tuple[Message, ...]]:
    """1 to 100 messages (each a `draft`), stored in their order; all or nothing."""
    fields = {"sessionId": session_id, "messages": list(messages), "expectedSequence": expected_sequence}
    return mutation(
        documents.APPEND_MESSAGES,
        fields,
        lambda payload: tuple(read(Message, one) for one in payload["messages"]),
        idempotency_key,
    )


def draft(
    role: MessageRole,
    text: str | None = None,
    *,
    raw: str | None = None,
    key: str | None = None,
    agent_key: str | None = None,
    metadata: Given | Unset = UNSET,
) -> dict[str, Any]:
    """A message for `append_messages`: exactly one of text and raw."""
    body = {"text": text} if raw is None else {"raw": raw}
    return given({"role": role, **body, "key": key, "agentKey": agent_key, "metadata": metadata})


def update_message(
    id: str,
    *,
    text: str | Unset = UNSET,
    raw: str | Unset = UNSET,
    metadata: Given | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Call[Message]:
    """The message with these fields."""
    fields = {"id": id, "text": text, "raw": raw, "metadata": metadata, "expectedRevision": expected_revision}
    return mutation(documents.UPDATE_MESSAGE, fields, _message, idempotency_key)


def redact_message(
    id: str, *, text: str | Unset = UNSET, raw: str | Unset = UNSET, idempotency_key: str | None = None
) -> Call[Message]:
    """What readers see from now on; the original is gone."""
    return mutation(documents.REDACT_MESSAGE, {"id": id, "text": text, "raw": raw}, _message, idempotency_key)


def delete_message(id: str, *, idempotency_key: str | None = None) -> Call[Deleted]:
    """The message is gone; its number is not given again."""
    return mutation(
        documents.DELETE_MESSAGE, {"id": id}, lambda payload: Deleted(payload["deletedId"], 1), idempotency_key
    )


def _message(payload: Mapping[str, Any]) -> Message:
    return read(Message, payload["message"])
