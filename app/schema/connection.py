"""Connections: how a page of rows looks from outside. A row is its own edge: it carries its cursor."""

from typing import Annotated, Any, Generic, TypeVar, cast

import strawberry

from app.db.reading.page import Slice

T = TypeVar("T")
First = Annotated[int | None, strawberry.argument(description="At most so many from the start, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="At most so many from the end, 1 to 100.")]
Before = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]


@strawberry.type(description="Where a page lies in its connection.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="More follow this page.")
    has_previous_page: bool = strawberry.field(description="More precede this page.")
    start_cursor: str | None = strawberry.field(description="The first edge's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The last edge's cursor; null on an empty page.")


@strawberry.type(description="One node of a page, with its position.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The position of this node, for `after` and `before`.")

    @strawberry.field(description="The node itself.")
    def node(self) -> T:
        return self  # type: ignore[return-value]


@strawberry.type(description="One page of a connection.")
class Connection(Generic[T]):
    @strawberry.field(description="The page's nodes with their cursors.")
    def edges(self: Slice[Any]) -> list[Edge[T]]:
        return cast(list[Edge[T]], self.rows)

    @strawberry.field(description="The page's nodes alone.")
    def nodes(self: Slice[Any]) -> list[T]:
        return cast(list[T], self.rows)

    @strawberry.field(description="Where the page lies.")
    def page_info(self: Slice[Any]) -> PageInfo:
        rows = self.rows
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=rows[0].cursor if rows else None,
            end_cursor=rows[-1].cursor if rows else None,
        )

    @strawberry.field(description="How many nodes the whole connection has; counted only when asked for.")
    async def total_count(self: Slice[Any]) -> int:
        return await self.total()
