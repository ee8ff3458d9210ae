"""A call is one operation, not yet sent: what is asked, how the answer is read, whether it may be sent twice."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from colloquy.errors import of_payload, of_response
from colloquy.reading import camel, read
from colloquy.results import Page, PageInfo

T = TypeVar("T")
P = ParamSpec("P")
Given = Mapping[str, Any]


class Unset:
    """Not given: the field stays as it is, where None would clear it."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One operation. A `repeatable` one does no more when it is sent again, as do all with an `idempotency_key`."""

    document: str
    variables: Mapping[str, Any]
    take: Callable[[Mapping[str, Any]], T]
    repeatable: bool = True
    idempotency_key: str | None = None

    def answer(self, response: Mapping[str, Any]) -> T:
        """What the response holds, or the refusal in it as an exception."""
        if response.get("errors"):
            raise of_response(response["errors"][0])
        return self.take(response["data"])


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """Pages of one connection, read forward from its beginning."""

    page: Callable[..., Call[Page[T]]]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def after(self, cursor: str | None) -> Call[Page[T]]:
        """The page that follows a cursor; the first one for None."""
        return self.page(after=cursor, **self.arguments)


def mutation(
    document: str,
    input: Mapping[str, Any],
    take: Callable[[Mapping[str, Any]], T],
    idempotency_key: str | None = None,
    repeatable: bool = False,
) -> Call[T]:
    """A call of the document's one mutation field; `take` reads its payload, the fields of `input` are camelCase."""

    def payload(data: Mapping[str, Any]) -> T:
        [found] = data.values()
        if found["errors"]:
            raise of_payload(found["errors"][0])
        return take(found)

    return Call(document, {"input": given(input)}, payload, repeatable, idempotency_key)


def camel_keys(values: Given) -> dict[str, Any]:
    """Keyword arguments as the schema spells them."""
    return {camel(name): value for name, value in values.items() if value is not UNSET}


def given(values: Given) -> dict[str, Any]:
    """Without what was not given."""
    return {name: value for name, value in values.items() if value is not UNSET}


def found(cls: type[T], data: Mapping[str, Any] | None) -> T | None:
    """The object, where there is one."""
    return None if data is None else read(cls, data)


def page_of(cls: type[T], connection: Mapping[str, Any]) -> Page[T]:
    """One page of a connection."""
    nodes = [read(cls, node) for node in connection["nodes"]]
    return Page(nodes, read(PageInfo, connection["pageInfo"]), connection.get("totalCount"))


class Runs(Protocol):
    """Sends calls and waits for their answers."""

    def run(self, call: Call[T], /) -> T: ...


class RunsAsync(Protocol):
    """Sends calls; their answers are awaited."""

    def run(self, call: Call[T], /) -> Coroutine[Any, Any, T]: ...


def sends(make: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], T]:
    """The method of a client that sends such a call."""

    @functools.wraps(make)
    def send(self: Runs, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(make(*args, **kwargs))

    return send


def awaits(make: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """The method of an asynchronous client that sends such a call."""

    @functools.wraps(make)
    async def send(self: RunsAsync, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(make(*args, **kwargs))

    return send


def walks(make: Callable[P, Listing[T]]) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """The method of a client that goes through all pages, one request each, as they are needed."""

    @functools.wraps(make)
    def walk(self: Runs, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        listing, cursor, more = make(*args, **kwargs), None, True
        while more:
            page = self.run(listing.after(cursor))
            yield from page.nodes
            cursor, more = page.info.end_cursor, page.info.has_next_page

    return walk


def walks_async(make: Callable[P, Listing[T]]) -> Callable[Concatenate[Any, P], AsyncIterator[T]]:
    """The method of an asynchronous client that goes through all pages."""

    @functools.wraps(make)
    async def walk(self: RunsAsync, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        listing, cursor, more = make(*args, **kwargs), None, True
        while more:
            page = await self.run(listing.after(cursor))
            for node in page.nodes:
                yield node
            cursor, more = page.info.end_cursor, page.info.has_next_page

    return walk
