"""A program whose server is killed and started again between two saves: `peer_restart.py` runs it."""

import asyncio
import sys

from conversation_stores import new_owner, store
from pydantic_ai.conversation import Conversation
from pydantic_ai.messages import ModelRequest, UserPromptPart


async def main() -> None:
    """Saves a message before and one during the restart."""
    async with store(new_owner(), attempts=60) as own:
        conversation = Conversation(conversation_id="trip", messages=[ModelRequest(parts=[UserPromptPart("one")])])
        await own.save(conversation)
        print("stored", flush=True)
        sys.stdin.readline()
        conversation.messages.append(ModelRequest(parts=[UserPromptPart("two")]))
        await own.save(conversation)
        found = await own.load("trip")
        print([message.parts[0].content for message in found.messages])


asyncio.run(main())
