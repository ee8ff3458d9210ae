"""What resolvers are told about where they run: built for those who ask, as far as they look."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLResolveInfo
from graphql.pyutils import Path
from strawberry.types.info import Info

from graphql_compiled.plan import Slot

if TYPE_CHECKING:
    from graphql_compiled.runtime import Run

type_of_path = tuple[Any, tuple[str, ...], int]
Trail = type_of_path | None
"""Where in the answer a list item is: (the item above or None, keys from there to the list, index)."""


class OperationInfo(GraphQLResolveInfo[Any]):
    """graphql-core's ResolveInfo, with the request's extensions where Strawberry looks for them."""

    operation_extensions: dict[str, Any] | None


def keys_of(path: Trail, keys: tuple[str, ...]) -> list[str | int]:
    """The response path of a slot, from the root."""
    found: list[str | int] = list(reversed(keys))
    while path is not None:
        path, above, index = path
        found.append(index)
        found.extend(reversed(above))
    found.reverse()
    return found


def resolve_info(run: Run, slot: Slot, path: Trail) -> OperationInfo:
    """ResolveInfo of the field that the slot belongs to; items of a list share their field's."""
    while slot.key is None and slot.parent is not None and path is not None:
        slot, path = slot.parent, path[0]
    field, operation = slot.field, run.operation
    info = OperationInfo(
        field.field_name,
        field.nodes,
        field.definition.type,
        field.parent_type,
        _response_path(slot, keys_of(path, slot.keys)),
        operation.schema,
        operation.definitions,
        run.root_value,
        operation.node,
        run.variables,
        run.context,
        run.is_awaitable,
        None,
        run.helpers,
    )
    info.operation_extensions = run.operation_extensions
    return info


def _response_path(slot: Slot, keys: list[str | int]) -> Path:
    path: Path | None = None
    for place, key in zip(reversed(list(slot.upwards())), keys, strict=True):
        path = Path(path, key, None if place.key is None else place.field.parent_type.name)
    assert path is not None
    return path


class LazyInfo:
    """Stands for a ResolveInfo until somebody reads from it."""

    __slots__ = ("_info", "_path", "_run", "_slot")

    def __init__(self, run: Run, slot: Slot, path: Trail) -> None:
        self._run = run
        self._slot = slot
        self._path = path

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._slot.field.nodes

    def __getattr__(self, name: str) -> Any:
        if name == "_info":
            self._info = resolve_info(self._run, self._slot, self._path)
            return self._info
        return getattr(self._info, name)


@cache
def strawberry_info(base: type[Info]) -> Callable[[Run, Slot, Trail], Info]:
    """A subclass of the schema's Info class that costs three assignments until it is read.

    Classes with a constructor of their own are called as Strawberry calls them.
    """
    if base.__init__ is not Info.__init__:

        def build(run: Run, slot: Slot, path: Trail) -> Info:
            return base(_raw_info=resolve_info(run, slot, path), _field=_field(slot))

        return build

    class CompiledInfo(base):  # type: ignore[valid-type, misc]
        def __init__(self, run: Run, slot: Slot, path: Trail) -> None:
            self._run = run
            self._slot = slot
            self._path = path

        @property
        def _raw_info(self) -> LazyInfo:
            known = self.__dict__.get("raw_info")
            if known is None:
                known = self.__dict__["raw_info"] = LazyInfo(self._run, self._slot, self._path)
            return known

        @property
        def _field(self) -> Any:
            return _field(self._slot)

    if base.context is Info.context:
        CompiledInfo.context = property(lambda self: self._run.context)
    CompiledInfo.__name__ = base.__name__
    CompiledInfo.__qualname__ = base.__qualname__
    return CompiledInfo


def _field(slot: Slot) -> Any:
    return slot.field.definition.extensions["strawberry-definition"]
