"""What a reader that joins now gets of an answer in parts."""

from typing import Any

from colloquy import AsyncClient
from colloquy.live import MessageAdded, MessageChanged, MessagePartsDelta


async def parts_of(client: AsyncClient, session_id: str, count: int) -> list[Any]:
    """The parts of the answer that is being written in a session, up to this number."""
    parts: list[Any] = []
    events = client.events(session_id)
    async for event in events:
        match event:
            case MessageAdded(message=message) | MessageChanged(message=message):
                parts = [*message.parts]
            case MessagePartsDelta(offset=offset, parts=new):
                assert offset == len(parts)
                parts += new
        if len(parts) >= count:
            break
    await events.aclose()
    return parts
