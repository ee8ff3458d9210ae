"""A program whose server is killed and started again between two steps: `peer_restart.py` runs it."""

import asyncio
import sys

from chainlit.context import init_http_context
from data_layers import data_layer, new_owner

STEP = {"threadId": "trip", "type": "user_message", "name": "Ann", "input": ""}


async def main() -> None:
    """Stores a step before and one during the restart."""
    init_http_context()
    own = data_layer(new_owner(), attempts=60)
    await own.create_step({**STEP, "id": "1", "output": "one", "createdAt": "1"})
    print("stored", flush=True)
    sys.stdin.readline()
    await own.create_step({**STEP, "id": "2", "output": "two", "createdAt": "2"})
    print([step["output"] for step in (await own.get_thread("trip"))["steps"]])
    await own.close()


asyncio.run(main())
