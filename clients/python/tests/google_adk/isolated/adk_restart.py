"""A program whose server is killed and started again between two events: `peer_restart.py` runs it."""

import asyncio
import sys

from adk_services import new_owner, service
from google.adk.events import Event, EventActions

TRIP = {"app_name": "guide", "user_id": "ann", "session_id": "trip"}


async def main() -> None:
    """Appends an event before and one during the restart."""
    async with service(new_owner(), attempts=60) as own:
        session = await own.create_session(**TRIP, state={"app:a": 1})
        await own.append_event(session, Event(author="user", actions=EventActions(state_delta={"one": 1})))
        print("stored", flush=True)
        sys.stdin.readline()
        await own.append_event(session, Event(author="user", actions=EventActions(state_delta={"user:two": 2})))
        found = await own.get_session(**TRIP)
        print(len(found.events), found.state)


asyncio.run(main())
