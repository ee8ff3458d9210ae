"""Operations of messages."""

from collections.abc import Sequence
from typing import Any

from colloquy import graphql_documents as documents
from colloquy.decoding import decode, decode_optional
from colloquy.operation import (
    UNSET,
    JSONObject,
    Operation,
    PagedOperation,
    Unset,
    camel_case_keys,
    decode_page,
    mutation,
    provided,
)
from colloquy.results import Deletion, Message, MessageRole, Page

NO_SESSION: JSONObject = {"message": None}
EMPTY_CONNECTION: JSONObject = {
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
) -> Operation[Message | None]:
    """Returns a message by exactly one of id, sequence and key; None without the message or its session.

    An agent's messages have keys of their own: pass `agent_key` with the key of a message that an agent wrote.
    """
    parent = {"sessionId": session_id, "sessionKey": session_key}
    lookup = {"id": id, "sequence": sequence, "key": key, "agentKey": agent_key}
    return Operation(
        documents.MESSAGE_BY,
        {**parent, **lookup},
        lambda data: decode_optional(Message, (data["session"] or NO_SESSION)["message"]),
    )


def message_page(
    session_id: str | None = None,
    *,
    session_key: str | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    with_total: bool = False,
    **filter: Any,
) -> Operation[Page[Message] | None]:
    """Returns one page of a session's messages, the newest 50 without `first` and `last`; None without the session.

    `filter` is MessageFilter. The page has a `total` if `with_total`, which costs the server a count.
    """
    parent = {"sessionId": session_id, "sessionKey": session_key, "filter": camel_case_keys(filter)}
    window = {"first": first, "after": after, "last": last, "before": before}
    return Operation(
        documents.MESSAGES_WITH_TOTAL if with_total else documents.MESSAGES,
        {**parent, **window},
        lambda data: None if data["session"] is None else decode_page(Message, data["session"]["messages"]),
    )


def messages(session_id: str, page_size: int = 100, **filter: Any) -> PagedOperation[Message]:
    """Iterates over a session's messages in order of sequence; over none without the session.

    `filter` is MessageFilter.
    """

    def page(**window: Any) -> Operation[Page[Message]]:
        one = message_page(session_id, **window)
        return Operation(
            one.document, one.variables, lambda data: one.decode(data) or decode_page(Message, EMPTY_CONNECTION)
        )

    return PagedOperation(page, {"first": page_size, **filter})


def append_message(
    session_id: str,
    role: MessageRole,
    text: str | None = None,
    *,
    raw: str | None = None,
    key: str | None = None,
    agent_key: str | None = None,
    metadata: JSONObject | Unset = UNSET,
    expected_sequence: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[Message]:
    """Appends a message with exactly one of text and raw, and returns it.

    A message with a `key` is stored once, however often it is sent. Raises Conflict if a different message has the
    key, or if the session's newest message is not at `expected_sequence`.
    """
    message = draft(role, text, raw=raw, key=key, agent_key=agent_key, metadata=metadata)
    fields = {"sessionId": session_id, "message": message, "expectedSequence": expected_sequence}
    repeatable = key is not None and expected_sequence is None
    return mutation(documents.APPEND_MESSAGE, fields, _message, idempotency_key, repeatable)


def append_messages(
    session_id: str,
    messages: Sequence[JSONObject],
    *,
    expected_sequence: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[tuple[Message, ...]]:
    """Appends 1 to 100 messages, each made by `draft`, in order, all or none, and returns them."""
    fields = {"sessionId": session_id, "messages": list(messages), "expectedSequence": expected_sequence}
    return mutation(
        documents.APPEND_MESSAGES,
        fields,
        lambda payload: tuple(decode(Message, message) for message in payload["messages"]),
        idempotency_key,
    )


def draft(
    role: MessageRole,
    text: str | None = None,
    *,
    raw: str | None = None,
    key: str | None = None,
    agent_key: str | None = None,
    metadata: JSONObject | Unset = UNSET,
) -> dict[str, Any]:
    """Returns one message for `append_messages`; it has exactly one of text and raw."""
    body = {"text": text} if raw is None else {"raw": raw}
    return provided({"role": role, **body, "key": key, "agentKey": agent_key, "metadata": metadata})


def update_message(
    id: str,
    *,
    text: str | Unset = UNSET,
    raw: str | Unset = UNSET,
    metadata: JSONObject | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[Message]:
    """Changes fields of a message and returns it. Raises Conflict if it is not at `expected_revision`."""
    fields = {"id": id, "text": text, "raw": raw, "metadata": metadata, "expectedRevision": expected_revision}
    return mutation(documents.UPDATE_MESSAGE, fields, _message, idempotency_key)


def redact_message(
    id: str, *, text: str | Unset = UNSET, raw: str | Unset = UNSET, idempotency_key: str | None = None
) -> Operation[Message]:
    """Replaces the content of a message permanently and returns it."""
    return mutation(documents.REDACT_MESSAGE, {"id": id, "text": text, "raw": raw}, _message, idempotency_key)


def delete_message(id: str, *, idempotency_key: str | None = None) -> Operation[Deletion]:
    """Deletes a message; no other message gets its sequence."""
    return mutation(
        documents.DELETE_MESSAGE, {"id": id}, lambda payload: Deletion(payload["deletedId"], 1), idempotency_key
    )


def _message(payload: JSONObject) -> Message:
    return decode(Message, payload["message"])
