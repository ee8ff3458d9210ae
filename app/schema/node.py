"""Any object by its id."""

from typing import Annotated, Any

import strawberry

from app.errors import BadInput
from app.limits import MAX_BATCH
from app.schema.base import Info, Node
from app.schema.ids import load

field, argument = strawberry.field, strawberry.argument


@strawberry.type
class NodeQuery:
    @field(graphql_type=Node | None, description="The object with this id; null if the viewer has none.")
    def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, argument(description="The id of any object, as its `id` field returned it.")],
    ) -> Any:
        return load(info.context.loaders, id)

    @field(
        graphql_type=list[Node | None],
        description="The objects with these ids, in the order of the ids; null for an id without an object.",
    )
    def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], argument(description=f"At most {MAX_BATCH} ids; more are refused.")],
    ) -> list[Any]:
        if len(ids) > MAX_BATCH:
            raise BadInput(f"ids takes at most {MAX_BATCH}; it has {len(ids)}.")
        return [load(info.context.loaders, each) for each in ids]
