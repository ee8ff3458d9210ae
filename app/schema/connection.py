"""Connections: the schema types of a page of rows. A row is its own edge, because it carries its cursor."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.types.fields.resolver import Parameter, Signature

from app.db.reading.page import Slice, Window
from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from app.schema.base import Info

T = TypeVar("T")
SIZES = f"1 to {MAX_PAGE_SIZE}. Not together with"
CURSORS = "A cursor of another connection or order is refused. Null or omitted: no bound."
First = Annotated[
    int | None,
    strawberry.argument(
        description=f"The page has at most this number of nodes, counted from the start: {SIZES} `last`. Another size "
        f"is refused. Without `first` and `last` the page has at most {DEFAULT_PAGE_SIZE} nodes."
    ),
]
After = Annotated[
    str | None, strawberry.argument(description=f"The page has only nodes after this cursor of an edge. {CURSORS}")
]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=f"The page has at most this number of nodes, counted from the end: {SIZES} `first`. Another size "
        "is refused. The order of the nodes stays the same."
    ),
]
Before = Annotated[
    str | None, strawberry.argument(description=f"The page has only nodes before this cursor of an edge. {CURSORS}")
]


@strawberry.type(description="The position of a page in its connection.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="On a page that is counted from the start: true if nodes follow it. On a page that is counted from "
        "the end: true if `before` was sent."
    )
    has_previous_page: bool = strawberry.field(
        description="On a page that is counted from the end: true if nodes precede it. On a page that is counted from "
        "the start: true if `after` was sent."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge, for `before` of the previous page; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge, for `after` of the next page; null on an empty page."
    )


@strawberry.type(description="One node of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(
        description="The position of the node in this connection and order: opaque, for `after` and `before`."
    )

    @strawberry.field(description="The object at this position.")
    def node(self) -> T:
        return self  # type: ignore[return-value]


@strawberry.type(description="One page of a list that is read page by page.")
class Connection(Generic[T]):
    @strawberry.field(description="The nodes of the page, each with its cursor.")
    def edges(self: Slice[Any]) -> list[Edge[T]]:
        return self.rows

    @strawberry.field(description="The nodes of the page, without their cursors.")
    def nodes(self: Slice[Any]) -> list[T]:
        return self.rows

    @strawberry.field(description="The position of the page in the whole connection.")
    def page_info(self: Slice[Any]) -> PageInfo:
        rows = self.rows
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=rows[0].cursor if rows else None,
            end_cursor=rows[-1].cursor if rows else None,
        )

    @strawberry.field(
        description="The number of nodes in the whole connection, under the same filter. The server counts them only "
        "if this field is selected."
    )
    async def total_count(self: Slice[Any]) -> int:
        return await self.total()


ReadPage = Callable[..., Any]
"""`(source, context, window, **arguments)`: returns a slice of rows, or an awaitable of one."""


def _parameter(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation, default=default)


SOURCE = (_parameter("self", Parameter.empty), _parameter("info", Info))
WINDOW = tuple(
    _parameter(name, annotation, None)
    for name, annotation in (("first", First), ("after", After), ("last", Last), ("before", Before))
)


def connection(type_: Any, description: str, *, newest: bool = False) -> Callable[[ReadPage], Any]:
    """A field that returns one page of a connection: it declares `first`, `after`, `last` and `before`.

    The decorated function gets the source, the context, and the window that these four select. Its further parameters
    become further arguments of the field. `newest`: a page without `first` and `last` is counted from the end.
    """

    def declare(read: ReadPage) -> Any:
        # Of `info` only the context is read, so compiled operations need not build one.
        def resolve(
            self: Any,
            info: Info,
            first: int | None = None,
            after: str | None = None,
            last: int | None = None,
            before: str | None = None,
            **arguments: Any,
        ) -> Any:
            return read(self, info.context, Window.of(first, after, last, before, newest=newest), **arguments)

        own = list(Signature.from_callable(read).parameters.values())[3:]
        required = [parameter for parameter in own if parameter.default is Parameter.empty]
        parameters = [*SOURCE, *required, *WINDOW, *own[len(required) :]]
        resolve.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        resolve.__name__, resolve.__module__ = read.__name__, read.__module__
        return strawberry.field(resolve, graphql_type=type_, description=description)

    return declare
