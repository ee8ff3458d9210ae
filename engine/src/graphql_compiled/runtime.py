"""One run of a compiled operation: what its code calls for all that is not the common case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from types import CoroutineType, GeneratorType
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfoHelpers, located_error
from graphql.execution import Executor
from graphql.execution.executor import invalid_return_type_error
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined, gather_with_cancel, is_awaitable, is_iterable
from graphql.pyutils.is_awaitable import is_async_iterable

from graphql_compiled.arguments import Arguments, shareable
from graphql_compiled.plan import Operation, Slot
from graphql_compiled.resolve_info import Trail, keys_of, strawberry_info

Finish = Callable[["Run", Any, Trail], Any]
Position = tuple[str | int, ...]

_in_background: set[asyncio.Future[Any]] = set()


Pending = list[Any]
"""What is awaited and what becomes of it, [value, out, key, slot, finish, path]: `out[key] = finish(run, value, path)`.

A list because the object `out` is made after its fields, and not at all if one of them takes it along.
With no key `finish` places the value itself.
"""


def position_of(pending: Pending) -> Position:
    return tuple(keys_of(pending[5], pending[3].keys))


class Special(dict[type, bool]):
    """Whether values of a type need a second look: awaitables, exceptions, Undefined. Learned on the way."""

    def __init__(self, *, awaitables: bool) -> None:
        self.awaitables = awaitables

    def __missing__(self, cls: type) -> bool:
        waits = self.awaitables and (cls is GeneratorType or hasattr(cls, "__await__"))
        found = waits or issubclass(cls, Exception) or cls is type(Undefined)
        if len(self) < 4096:
            self[cls] = found
        return found


SPECIAL = Special(awaitables=True)
SPECIAL_SYNC = Special(awaitables=False)


def never(_value: object) -> bool:
    return False


class Run:
    """State of one run. `synchronous` takes every value as it is, awaitable or not, like `execute_sync`."""

    def __init__(
        self,
        operation: Operation,
        root_value: Any,
        context: Any,
        variables: VariableValues,
        *,
        hide_suggestions: bool = False,
        synchronous: bool = False,
        type_resolver: Callable[..., Any],
        operation_extensions: dict[str, Any] | None = None,
    ) -> None:
        self.operation = operation
        self.schema = operation.schema
        self.root_value = root_value
        self.context = context
        self.variables = variables
        self.hide_suggestions = hide_suggestions
        self.type_resolver = type_resolver
        self.operation_extensions = operation_extensions
        self.special = SPECIAL_SYNC if synchronous else SPECIAL
        self.is_awaitable: Any = never if synchronous else is_awaitable
        self.is_async_iterable: Any = never if synchronous else is_async_iterable
        self.data: dict[str, Any] | None = {}
        self.errors: list[GraphQLError] = []
        self.nulled: set[Position] = set()
        self.pending: list[Pending] = []
        self.later = self.pending.append
        self.known: dict[Arguments, dict[str, Any]] = {}

    @property
    def helpers(self) -> GraphQLResolveInfoHelpers:
        return GraphQLResolveInfoHelpers(gather=_gather, track=self.track)

    # ------------------------------------------------------------ values

    def odd(self, pending: Pending, late: tuple[Pending, ...]) -> tuple[Any, tuple[Pending, ...]]:
        """Complete a value of any kind; what has to be awaited is added to `late` unless it knows its object."""
        value, out, _, slot, finish, path = pending
        if not self.is_awaitable(value):
            return self.settled(value, slot, finish, path), late
        self.pending.append(pending)
        return None, late if out is not None else (*late, pending)

    def settled(self, value: Any, slot: Slot, finish: Finish, path: Trail) -> Any:
        """Complete a value that is not awaited (any more)."""
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return self.absent(slot)
        return finish(self, value, path)

    def absent(self, slot: Slot) -> None:
        if slot.required:
            field = slot.field
            raise TypeError(f"Cannot return null for non-nullable field {field.parent_type}.{field.field_name}.")

    def deferred(
        self, value: Awaitable[Any], slot: Slot, finish: Callable[..., Any], source: Any, path: Trail
    ) -> dict[str, Any]:
        """Hold the place of the object that `finish(source, path, …)` will make of what is awaited."""
        position = tuple(keys_of(path, slot.keys))

        def fill(run: Run, found: Any, _path: Trail) -> None:
            run.place(finish(run, source, path, found), position)

        self.pending.append([value, None, None, slot, fill, path])
        return {}

    def place(self, value: Any, position: Position) -> None:
        """Put a value where the answer is already made, unless what it belongs to has failed."""
        place: Any = self.data
        for key in position[:-1]:
            if place is not None:
                place = place[key]
        if not position:
            self.data = value
        elif place is not None:
            place[position[-1]] = value

    def arguments(self, arguments: Arguments, slot: Slot, path: Trail) -> dict[str, Any]:
        known = self.known.get(arguments)
        if known is not None:
            return known
        quick = arguments.quick(self.variables)
        if quick is not None:
            self.known[arguments] = quick
            return quick
        how = arguments.how
        info = strawberry_info(how.info_class)(self, slot, path) if how.info_class else None
        values = arguments.slow(self.variables, info, hide_suggestions=self.hide_suggestions)
        if shareable(values):
            self.known[arguments] = values
        return values

    # ------------------------------------------------------------ lists

    def items(self, value: Any, slot: Slot, path: Trail, each: Finish) -> Any:
        """An iterator over any kind of list; of an asynchronous one the list itself, which fills up later."""
        if self.is_async_iterable(value):
            return self.followed(aiter(value), slot, path, each)
        if not is_iterable(value):
            field = slot.field
            raise GraphQLError(
                f"Expected Iterable, but did not find one for field '{field.parent_type}.{field.field_name}'."
            )
        return iter(value)

    def followed(self, source: AsyncIterator[Any], slot: Slot, path: Trail, each: Finish) -> list[Any]:
        out: list[Any] = []

        def release(run: Run, held: list[Pending], _path: Trail) -> None:
            run.pending += held

        steps = follow(self, source, slot, path, each, out)
        self.pending.append([steps, out, None, slot, release, path])
        return out

    def pending_since(self, mark: int) -> list[Pending]:
        """Take back what has become pending since there were `mark`."""
        found = self.pending[mark:]
        del self.pending[mark:]
        return found

    def drain(self, iterator: Iterator[Any]) -> None:
        """A null took the list with it: what it still holds must not be left unawaited."""
        with suppress(Exception):
            self.track([item for item in iterator if self.is_awaitable(item)])

    # ------------------------------------------------------------ types

    def wrong_type(self, type_: Any, source: Any, slot: Slot) -> GraphQLError:
        return invalid_return_type_error(type_, source, slot.field.details)

    def pick(self, slot: Slot, choices: dict[str, Any], name: Any, source: Any) -> Any:
        """The code for the named type, or graphql-core's complaint about the name."""
        found: Any = Executor.ensure_valid_runtime_type
        return choices[found(self, name, slot.type, slot.field.details, slot.field, source).name]

    # ------------------------------------------------------------ errors

    def failed(self, slot: Slot, path: Trail, raw: Exception) -> None:
        """Null the slot and note why, or pass the error on to the parent."""
        keys = keys_of(path, slot.keys)
        error = located_error(raw, slot.field.nodes, keys)
        if slot.bubbles:
            raise error
        self.note(error, tuple(keys))

    def note(self, error: GraphQLError, position: Position) -> None:
        if not self.is_dead(position):
            self.nulled.add(position)
            self.errors.append(error)

    def is_dead(self, position: Position) -> bool:
        """Whether a null already stands here or above."""
        nulled = self.nulled
        return bool(nulled) and any(position[:end] in nulled for end in range(len(position) + 1))

    # ------------------------------------------------------------ what nobody waits for

    def forsake(self) -> None:
        """Let go of what is pending under a null; it settles by itself."""
        if self.nulled and self.pending:
            dead: list[Any] = []
            for one in self.pending_since(0):
                if self.is_dead(position_of(one)):
                    dead.append(one[0])
                else:
                    self.pending.append(one)
            self.track(dead)

    def track(self, values: Sequence[Any]) -> None:
        """Settle awaitables in the background, or dispose of them where there is no event loop."""
        waits = [value for value in values if self.is_awaitable(value)]
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            for value in waits:
                if isinstance(value, CoroutineType):
                    value.close()
            return
        if waits:
            in_background(asyncio.gather(*waits, return_exceptions=True))


def in_background(future: asyncio.Future[Any]) -> None:
    _in_background.add(future)
    future.add_done_callback(_in_background.discard)


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)


async def follow(
    run: Run, source: AsyncIterator[Any], slot: Slot, path: Trail, finish: Finish, out: list[Any]
) -> list[Pending]:
    """Fill `out` with the items of an asynchronous iterator. Returns what is pending in them.

    Like graphql-core, awaits nothing of the items before the iterator is exhausted.
    """
    held: list[Pending] = []
    item = slot.item
    assert item is not None
    try:
        while (found := await anext(source, Undefined)) is not Undefined:
            place: Trail = (path, slot.keys, len(out))
            mark = len(run.pending)
            try:
                value, _ = run.odd([found, out, len(out), item, finish, place], ())
            except Exception as error:
                run.failed(item, place, error)
                value = None
            finally:
                held += run.pending_since(mark)
            out.append(value)
    except Exception:
        run.pending += held
        if (close := getattr(source, "aclose", None)) is not None:
            with suppress(Exception):
                await close()
        raise
    except asyncio.CancelledError:
        run.track([one[0] for one in held])
        raise
    return held
