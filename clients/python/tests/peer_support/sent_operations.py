"""The operations that a store sends: their names, and what other programs write between them."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

NAME = re.compile(r"(?:query|mutation) (\w+)")
Action = Callable[[], Awaitable[Any]]


def sent_operations(own: Any, *actions: tuple[str, Action]) -> list[str]:
    """A list to which the running event loop adds the name of every operation that the store sends.

    Each action is awaited before the next operation of its name is sent: one operation for one action, in their order.
    """
    names: list[str] = []
    left = list(actions)

    async def on_request(request: Any) -> None:
        names.append(NAME.search(json.loads(request.content)["query"])[1])
        if left and left[0][0] == names[-1]:
            _, action = left.pop(0)
            await action()

    own.clients._of_this_loop()._http.event_hooks = {"request": [on_request]}
    return names
