"""Live events to many: those of one channel who ask the same are answered by one execution and one encoding.

A subscriber catches up in a task of its own. Once it is where its channel is, it is a member of a group and no task:
the channel's reader makes what all members are sent, and hands it to each. Nothing is queued: a member whose
connection does not take it at once leaves, sends the rest in a task, and catches up from the rows.
"""

import json
from collections.abc import Awaitable, Coroutine, Hashable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from graphql_compiled.engine import PreparedOperation, ResponseStream

from app.auth import Viewer
from app.live.events import Event
from app.live.reader import Batch
from app.live.subscription import Show, Stream
from app.transport.operations import Parameters, answer


class Told(NamedTuple):
    """One event for the wire: the cursor after it, and the JSON of the result."""

    cursor: str
    payload: str


class Outlet(Protocol):
    """Where the events of one subscriber go."""

    def offer(self, told: Told, /) -> Awaitable[None] | None:
        """Sends it; what is left to wait for when the connection does not take it at once."""

    def work(self, rest: Coroutine[Any, Any, bool], /) -> None:
        """Runs the rest in a task; its result says whether the subscriber is a member again, or at its end."""

    def failed(self, failure: Exception, /) -> None:
        """There will be no more, because of this."""


class Group:
    """Subscribers that see the same, by their `key`; `subscription` and `context` are those of the first of them."""

    def __init__(self, key: Hashable, subscription: ResponseStream, context: Any, request_id: str, show: Show) -> None:
        self.key, self._show = key, show
        self._subscription, self._context, self._request_id = subscription, context, request_id
        self.members: dict[Subscriber, None] = {}

    def hear(self, batch: Batch[Any]) -> Awaitable[None]:
        return self._tell(list(self.members), batch)

    async def told(self, event: Event) -> Told:
        """The event as each member is sent it."""
        result = await self._subscription.execute_event(self._show(event))
        return Told(event.cursor, answer(result, self._context, self._request_id).body.decode())

    async def _tell(self, members: list["Subscriber"], batch: Batch[Any]) -> None:
        try:
            told = [await self.told(event) for event in batch.events]
        except Exception as failure:
            for member in self._still(members):
                member.fail(failure)
            return
        for member in self._still(members):
            try:
                member.take(told, batch)
            except Exception as failure:  # of its line, which is nobody else's
                member.fail(failure)

    def _still(self, members: list["Subscriber"]) -> Iterator["Subscriber"]:
        """Those who have not left in the meantime."""
        return (member for member in members if member in self.members)


class Subscriber:
    """One client's way from catching up to membership, and back."""

    __slots__ = ("_group", "_listens", "_outlet", "_stream")

    def __init__(self, stream: Stream[Any], group: Group, outlet: Outlet) -> None:
        self._stream, self._outlet = stream, outlet
        self._group = group  # its own until it joins one of others
        self._listens = False

    async def catch_up(self) -> bool:
        """Tells what there is to tell. False: there will be no more. Raises what the stream does."""
        while True:
            async for events in self._stream.catch_up():
                for event in events:
                    await self._say(await self._group.told(event))
            if self._stream.over:
                return False
            if self._join():
                return True
            await self._stream.look()

    def take(self, told: Sequence[Told], batch: Batch[Any]) -> None:
        """What the group was told."""
        for place, one in enumerate(told, 1):
            rest = self._outlet.offer(one)
            if rest is not None:
                self._leave()
                self._outlet.work(self._fall_behind(rest, told[place:], batch))
                return
        if batch.over:
            self._leave()
            self._outlet.work(_end())

    def fail(self, failure: Exception) -> None:
        """There will be no more, because of this."""
        self._leave()
        self._outlet.failed(failure)

    def close(self) -> None:
        """No more is wanted."""
        self._leave()
        self._stream.close()

    def _join(self) -> bool:
        group = self._stream.join(self._group.key, lambda: self._group)
        if group is None:
            return False
        group.members[self] = None
        self._group, self._listens = group, True
        return True

    def _leave(self) -> None:
        if self._listens:
            del self._group.members[self]
            self._listens = False
            if not self._group.members:
                self._stream.leave(self._group.key)

    async def _fall_behind(self, rest: Awaitable[None], told: Sequence[Told], batch: Batch[Any]) -> bool:
        """Sends what the connection did not take, in its own time, and catches up from there."""
        await rest
        for one in told:
            await self._say(one)
        if batch.over:
            return False
        self._stream.back(batch.place)
        return await self.catch_up()

    async def _say(self, told: Told) -> None:
        if (rest := self._outlet.offer(told)) is not None:
            await rest


async def _end() -> bool:
    return False


def likeness(prepared: PreparedOperation, parameters: Parameters, viewer: Viewer) -> Hashable:
    """Equal for those who are shown the same of an event: one operation, equal variables in it, equal rights."""
    below = prepared.nested_variables
    values = {name: value for name, value in parameters.variables.items() if name in below}
    return prepared, json.dumps(values, sort_keys=True), (viewer.subject, viewer.scopes, viewer.roles)
