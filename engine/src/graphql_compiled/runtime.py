"""State of one execution, and what generated code calls for every value that is not the common case."""

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

from graphql_compiled.arguments import FieldArguments, shareable
from graphql_compiled.plan import Operation, PlanNode
from graphql_compiled.response_path import ListPath, ResponsePath, response_path
from graphql_compiled.reuse import Reusable

Completer = Callable[["ExecutionState", Any, ListPath], Any]
"""Turns a resolved value into its response value (GraphQL specification, CompleteValue)."""

PendingValue = list[Any]
"""An awaitable and where its value goes: [awaitable, target, key, node, complete, path].

Once awaited, `target[key] = complete(state, value, path)`. A list and not a tuple, because the object `target` is made
after its fields, and not at all if a null propagates through it. Without a key, `complete` places the value itself.
"""

_background_futures: set[asyncio.Future[Any]] = set()


def pending_path(pending: PendingValue) -> ResponsePath:
    return tuple(response_path(pending[5], pending[3].keys))


class SlowPathTypes(dict[type, bool]):
    """By type: true if its values take the slow path, being awaitables, exceptions, Undefined or Reusable.

    Filled on demand.
    """

    def __init__(self, *, awaitables: bool) -> None:
        self.awaitables = awaitables

    def __missing__(self, cls: type) -> bool:
        is_awaitable_type = self.awaitables and (cls is GeneratorType or hasattr(cls, "__await__"))
        is_reusable = self.awaitables and issubclass(cls, Reusable)
        slow = is_awaitable_type or is_reusable or issubclass(cls, Exception) or cls is type(Undefined)
        if len(self) < 4096:
            self[cls] = slow
        return slow


SLOW_PATH_TYPES = SlowPathTypes(awaitables=True)
SLOW_PATH_TYPES_SYNC = SlowPathTypes(awaitables=False)


def never(_value: object) -> bool:
    return False


class ExecutionState:
    """State of one execution. With `synchronous`, awaitables are taken for plain values, as by `execute_sync`.

    `build_resolve_info(state, field definition, AST nodes, parent type, path)` makes graphql-core's ResolveInfo.
    """

    def __init__(
        self,
        operation: Operation,
        root_value: Any,
        context: Any,
        variable_values: VariableValues,
        *,
        type_resolver: Callable[..., Any],
        build_resolve_info: Callable[..., Any],
        hide_suggestions: bool = False,
        synchronous: bool = False,
        is_async_iterable: Callable[[Any], bool] = is_async_iterable,
    ) -> None:
        self.operation = operation
        self.schema = operation.schema
        self.root_value = root_value
        self.context = context
        self.variable_values = variable_values
        self.type_resolver = type_resolver
        self.build_resolve_info = build_resolve_info
        self.hide_suggestions = hide_suggestions
        self.slow_path_types = SLOW_PATH_TYPES_SYNC if synchronous else SLOW_PATH_TYPES
        self.is_awaitable: Any = never if synchronous else is_awaitable
        self.is_async_iterable: Any = never if synchronous else is_async_iterable
        self.data: dict[str, Any] | None = {}
        self.errors: list[GraphQLError] = []
        self.nulled_paths: set[ResponsePath] = set()
        self.pending: list[PendingValue] = []
        self.add_pending = self.pending.append
        self.bound_arguments: dict[FieldArguments, dict[str, Any]] = {}
        self.completed: list[tuple[Reusable, PlanNode, Any]] = []

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        return GraphQLResolveInfoHelpers(gather=_gather, track=self.track)

    # ------------------------------------------------------------ values

    def complete_slow_path(
        self, pending: PendingValue, unattached: tuple[PendingValue, ...]
    ) -> tuple[Any, tuple[PendingValue, ...]]:
        """Complete a value of any kind, or make it pending.

        Returns the response value, and `unattached` with the pending value added if it lacks its target.
        """
        value, target, _, node, complete, path = pending
        if not self.is_awaitable(value):
            return self.complete_resolved(value, node, complete, path), unattached
        self.pending.append(pending)
        return None, unattached if target is not None else (*unattached, pending)

    def complete_resolved(self, value: Any, node: PlanNode, complete: Completer, path: ListPath) -> Any:
        """Complete a value that is no awaitable. Raises what it is, if it is an exception."""
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return self.complete_null(node)
        if isinstance(value, Reusable):
            return self.complete_reusable(value, node, complete, path)
        return complete(self, value, path)

    def complete_reusable(self, value: Reusable, node: PlanNode, complete: Completer, path: ListPath) -> Any:
        """What the value finds, or what it is completed to."""

        def use(state: ExecutionState, _source: Any, path: ListPath, found: Any) -> Any:
            if found is None:
                found = complete(state, value, path)
                state.completed.append((value, node, found))
            return found

        found = value.find_completed(node)
        if self.is_awaitable(found):
            return self.complete_after(found, node, use, value, path)
        return use(self, value, path, found)

    def keep_completed(self) -> None:
        """At the end: gives reusable values what they were completed to, unless there was an error."""
        if not self.errors:
            for value, node, completed in self.completed:
                value.keep_completed(node, completed)

    def complete_null(self, node: PlanNode) -> None:
        if node.non_null:
            field = node.field
            raise TypeError(f"Cannot return null for non-nullable field {field.parent_type}.{field.field_name}.")

    def complete_after(
        self, awaitable: Awaitable[Any], node: PlanNode, complete: Callable[..., Any], source: Any, path: ListPath
    ) -> dict[str, Any]:
        """Complete an object once its type is awaited: `complete(state, source, path, awaited)`. Returns a stand-in."""
        position = tuple(response_path(path, node.keys))

        def complete_object(state: ExecutionState, awaited: Any, _path: ListPath) -> None:
            state.set_value(complete(state, source, path, awaited), position)

        self.pending.append([awaitable, None, None, node, complete_object, path])
        return {}

    def set_value(self, value: Any, path: ResponsePath) -> None:
        """Write a value into the response, unless a null has removed its parent."""
        parent: Any = self.data
        for key in path[:-1]:
            if parent is not None:
                parent = parent[key]
        if not path:
            self.data = value
        elif parent is not None:
            parent[path[-1]] = value

    def argument_values(self, arguments: FieldArguments, node: PlanNode, path: ListPath) -> dict[str, Any]:
        bound = self.bound_arguments.get(arguments)
        if bound is not None:
            return bound
        bound = arguments.bind(self.variable_values)
        if bound is not None:
            self.bound_arguments[arguments] = bound
            return bound
        make_info = arguments.access.make_info
        info = make_info(self, node, path) if make_info else None
        values = arguments.coerce(self.variable_values, info, hide_suggestions=self.hide_suggestions)
        if shareable(values):
            self.bound_arguments[arguments] = values
        return values

    # ------------------------------------------------------------ lists

    def iterate(self, value: Any, node: PlanNode, path: ListPath, complete_item: Completer) -> Any:
        """An iterator over any kind of list; for an asynchronous one the response list, which is filled later."""
        if self.is_async_iterable(value):
            return self.consume(aiter(value), node, path, complete_item)
        if not is_iterable(value):
            field = node.field
            raise GraphQLError(
                f"Expected Iterable, but did not find one for field '{field.parent_type}.{field.field_name}'."
            )
        return iter(value)

    def consume(
        self, iterator: AsyncIterator[Any], node: PlanNode, path: ListPath, complete_item: Completer
    ) -> list[Any]:
        target: list[Any] = []

        def add_items(state: ExecutionState, pending: list[PendingValue], _path: ListPath) -> None:
            state.pending += pending

        filling = _fill_list(self, iterator, node, path, complete_item, target)
        self.pending.append([filling, target, None, node, add_items, path])
        return target

    def take_pending_since(self, count: int) -> list[PendingValue]:
        """Remove and return what became pending since there were `count` pending values."""
        found = self.pending[count:]
        del self.pending[count:]
        return found

    def track_remaining(self, iterator: Iterator[Any]) -> None:
        """Settle the awaitables left in an iterator whose list a null has removed."""
        with suppress(Exception):
            self.track([item for item in iterator if self.is_awaitable(item)])

    # ------------------------------------------------------------ types

    def invalid_type_error(self, type_: Any, source: Any, node: PlanNode) -> GraphQLError:
        return invalid_return_type_error(type_, source, node.field.details)

    def completer_of_type(self, node: PlanNode, completers: dict[str, Any], name: Any, source: Any) -> Any:
        """The completer for the object type with this name. Raises graphql-core's error about the name."""
        ensure: Any = Executor.ensure_valid_runtime_type
        return completers[ensure(self, name, node.type, node.field.details, node.field, source).name]

    # ------------------------------------------------------------ errors

    def handle_field_error(self, node: PlanNode, path: ListPath, raw_error: Exception) -> None:
        """Record the error of a position that becomes null. Raises it where the null propagates."""
        keys = response_path(path, node.keys)
        error = located_error(raw_error, node.field.nodes, keys)
        if node.propagates_null:
            raise error
        self.add_error(error, tuple(keys))

    def add_error(self, error: GraphQLError, path: ResponsePath) -> None:
        """Record an error and the null at its position, unless a null is there already or above."""
        if not self.is_nulled(path):
            self.nulled_paths.add(path)
            self.errors.append(error)

    def is_nulled(self, path: ResponsePath) -> bool:
        """True if an error has put a null at this position or above."""
        nulled = self.nulled_paths
        return bool(nulled) and any(path[:end] in nulled for end in range(len(path) + 1))

    # ------------------------------------------------------------ abandoned awaitables

    def abandon_nulled(self) -> None:
        """Stop waiting for pending values below a null; they settle in the background."""
        if self.nulled_paths and self.pending:
            abandoned: list[Any] = []
            for pending in self.take_pending_since(0):
                if self.is_nulled(pending_path(pending)):
                    abandoned.append(pending[0])
                else:
                    self.pending.append(pending)
            self.track(abandoned)

    def track(self, values: Sequence[Any]) -> None:
        """Settle awaitables in the background; without an event loop, close the coroutines among them."""
        awaitables = [value for value in values if self.is_awaitable(value)]
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            for awaitable in awaitables:
                if isinstance(awaitable, CoroutineType):
                    awaitable.close()
            return
        if awaitables:
            future = asyncio.gather(*awaitables, return_exceptions=True)
            _background_futures.add(future)
            future.add_done_callback(_background_futures.discard)


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)


async def _fill_list(
    state: ExecutionState,
    iterator: AsyncIterator[Any],
    node: PlanNode,
    path: ListPath,
    complete: Completer,
    target: list[Any],
) -> list[PendingValue]:
    """Fill `target` with the completed items of an asynchronous iterator. Returns what is pending in them.

    Like graphql-core, awaits nothing of the items before the iterator is exhausted.
    """
    collected: list[PendingValue] = []
    item_node = node.item
    assert item_node is not None
    try:
        while (item := await anext(iterator, Undefined)) is not Undefined:
            item_path: ListPath = (path, node.keys, len(target))
            count, value = len(state.pending), None
            try:
                pending = [item, target, len(target), item_node, complete, item_path]
                value, _ = state.complete_slow_path(pending, ())
            except Exception as error:
                state.handle_field_error(item_node, item_path, error)
            finally:
                target.append(value)  # also if a null removes the list: pending values below still have a position
                collected += state.take_pending_since(count)
    except Exception:
        state.pending += collected
        if (close := getattr(iterator, "aclose", None)) is not None:
            with suppress(Exception):
                await close()
        raise
    except asyncio.CancelledError:
        state.track([pending[0] for pending in collected])
        raise
    return collected
