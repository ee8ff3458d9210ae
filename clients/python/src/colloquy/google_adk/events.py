"""Events of ADK as messages: an event is a message whose key is the event's id and whose `raw` is its JSON.

A message that another program appended is an event with its text.
"""

import json

from google.adk.events import Event
from google.genai.types import Content, Part
from pydantic import ValidationError

from colloquy.labels import label_of
from colloquy.operation import Operation
from colloquy.operations.message import append_message, message_page
from colloquy.results import Message, MessageRole
from colloquy.steps import Steps

PAGE_SIZE = 50
READ_AS = {"USER": "user", "TOOL": "user"}


def append(session_id: str, event: Event, expected_sequence: int) -> Operation[Message]:
    """Appends an event. Raises Conflict if another message than `expected_sequence` is the newest."""
    raw = json.dumps(event.model_dump(mode="json", by_alias=True, exclude_none=True))
    return append_message(
        session_id, _role(event), raw=raw, key=label_of(event.id), expected_sequence=expected_sequence
    )


def event_of(found: Message) -> Event:
    """The event of a message."""
    try:
        event = Event.model_validate_json(found.raw or "null")
    except ValidationError:
        event = Event()
    return event if event.author else _text_event(found)


def newest(session_id: str) -> Steps[Message | None]:
    """Reads the newest message."""
    page = yield message_page(session_id, last=1)
    return page.nodes[-1] if page and page.nodes else None


def after(session_id: str, sequence: int) -> Steps[list[Message]]:
    """Reads the messages after this one, the oldest first."""
    last = yield from newest(session_id)
    if last is None or last.sequence <= sequence:
        return []
    found = yield from _backwards(session_id, sequence, None, None)
    return [each for each, _ in found]


def recent(session_id: str, up_to: int, limit: int | None, since: float | None) -> Steps[list[Event]]:
    """Reads the newest events up to a sequence, at most `limit`, none that is older than `since`; the oldest first."""
    if limit == 0:
        return []
    found = yield from _backwards(session_id, 0, limit, since, up_to)
    return [event for _, event in found]


def _backwards(
    session_id: str, after: int, limit: int | None, since: float | None, up_to: int | None = None
) -> Steps[list[tuple[Message, Event]]]:
    found: list[tuple[Message, Event]] = []  # the newest first
    cursor, has_more = None, True
    while has_more and (limit is None or len(found) < limit):
        page = yield message_page(session_id, last=PAGE_SIZE, before=cursor)
        if page is None:
            break
        for each in reversed(page.nodes):
            event = event_of(each)
            matches = each.sequence > after and (up_to is None or each.sequence <= up_to)
            if matches and (since is None or event.timestamp >= since):
                found.append((each, event))
        has_more = page.info.has_previous_page and page.nodes[0].sequence > after + 1
        cursor = page.info.start_cursor
    return found[:limit][::-1]


def _role(event: Event) -> MessageRole:
    if event.get_function_responses():
        return "TOOL"
    return "USER" if event.author == "user" else "ASSISTANT"


def _text_event(found: Message) -> Event:
    """The event of a message without an event's document."""
    author = READ_AS.get(found.role, "model")
    content = Content(role=author, parts=[Part(text=found.text or found.raw or "")])
    return Event(id=found.key or found.id, author=author, content=content, timestamp=found.created_at.timestamp())
