"""Records: documents under keys, in namespaces."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue
from strawberry import Maybe

from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import RecordNamespaceRow, RecordRow, SessionRow
from app.errors import NotFound
from app.limits import MAX_BATCH, MAX_NAMESPACE_LABELS, MAX_TTL_SECONDS
from app.record_path import labels_of, name_of
from app.resolvers import record
from app.schema import ids
from app.schema.base import Info, Node, OrderDirection, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import METADATA, NEW_METADATA
from app.schema.inputs import provided_fields, value_of
from app.schema.mutation import mutation
from app.schema.payload import errors
from app.schema.scalars import Base64, DateTime, Json
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field, argument = strawberry.field, strawberry.argument
NAMESPACE = (
    f"Labels from the outermost to the innermost, such as `users`, `42`, `memories`: at most {MAX_NAMESPACE_LABELS}, "
    "each of 1 to 255 characters without control characters. An empty list is the root."
)
KEY = "The name of the record in its namespace: 1 to 255 characters without control characters."


@enum(
    "The value by which records are ordered. Records with equal values are ordered by namespace and key.",
    KEY="Namespace and key, compared by Unicode code points. A namespace comes before those below it.",
    UPDATED_AT="The time of the newest change.",
)
class RecordOrderField(StrEnum):
    KEY = "KEY"
    UPDATED_AT = "UPDATED_AT"


@strawberry.input(description="The order of a list of records.")
class RecordOrder:
    field: RecordOrderField = strawberry.field(description="The value by which records are ordered.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(
    description="Conditions on a list of records. A record must meet all conditions; null or omitted: no condition."
)
class RecordFilter:
    metadata_contains: Json | None = field(
        default=None,
        description="The metadata contains this value: for an object, each of its fields with an equal or containing "
        "value; for a list, each of its elements (PostgreSQL's `@>` on jsonb).",
    )
    key_from: str | None = field(default=None, description="The key is this one, or comes after it.")
    key_to: str | None = field(default=None, description="The key is this one, or comes before it.")
    text: str | None = field(
        default=None,
        description="A string in the value contains this text. Upper and lower case are equal. Only the first 16,384 "
        "characters of all strings together are compared (SEARCH_TEXT_LIMIT).",
    )

    @staticmethod
    def parameters(filter: "RecordFilter | None") -> dict[str, Any]:
        """The filter as keyword arguments."""
        return vars(filter or RecordFilter())


@strawberry.type(
    description="A document under a key: a checkpoint, a memory, a setting. It belongs to the viewer and, if it names "
    "a session, is erased with the session."
)
class Record(Node):
    metadata: Json = field(description=METADATA)
    revision: int = field(
        description="The number of times that the record was put: 1, 2, 3. `expectedRevision` is compared with it."
    )
    expires_at: DateTime | None = field(description="The time from which on the record is absent; null if none.")
    created_at: DateTime = field(description="The time of the first put.")
    updated_at: DateTime = field(description="The time of the newest put.")
    value: Json | None = field(description="The document, as it was put; null if the record holds bytes.")

    is_type_of = rows_of(RecordRow)

    @field(description="The id of the record: opaque, made from its name, and unique among the objects of the viewer.")
    def id(self: RecordRow) -> strawberry.ID:
        return ids.record(self.path)

    @field(description="The labels of the namespace, the outermost first.")
    def namespace(self: RecordRow) -> list[str]:
        return list(name_of(self.path).namespace)

    @field(description="The name of the record in its namespace.")
    def key(self: RecordRow) -> str:
        return name_of(self.path).key

    @field(graphql_type=Base64 | None, description="The bytes, as they were put; null if the record holds a value.")
    def bytes(self: RecordRow) -> Any:
        return self.binary

    @field(graphql_type=Session | None, description="The session with which the record is erased; null if none.")
    def session(self: RecordRow, info: Info) -> "BatchValue[SessionRow | None] | None":
        return info.context.loaders.sessions.load(self.session_id) if self.session_id else None


@strawberry.type(description="A namespace that has records.")
class RecordNamespace:
    @field(description="The labels, the outermost first; shortened to `maxDepth` of them.")
    def namespace(self: RecordNamespaceRow) -> list[str]:
        return labels_of(self.prefix)


@strawberry.input(description="The name of a record.")
class RecordKeyInput:
    namespace: list[str] = field(description=NAMESPACE)
    key: str = field(description=KEY)


@strawberry.input(description="A record to store.")
class PutRecordInput:
    namespace: list[str] = field(description=NAMESPACE)
    key: str = field(description=KEY)
    value: Maybe[Json | None] = field(
        description="The document, at most MAX_RECORD_BYTES long. Send exactly one of `value` and `bytes`."
    )
    bytes: Maybe[Base64 | None] = field(description="The bytes, at most MAX_RECORD_BYTES of them.")
    metadata: Maybe[Json | None] = field(description=NEW_METADATA)
    session_id: Maybe[strawberry.ID | None] = field(
        description="The session with which the record is erased. Null or omitted: none."
    )
    ttl_seconds: Maybe[int | None] = field(
        description=f"The time after which the record is absent, 1 to {MAX_TTL_SECONDS:,} seconds from now. Null or "
        "omitted: never."
    )
    expected_revision: Maybe[int | None] = field(
        description="The `revision` that the client has read, or 0 if no record may exist. If it is another one by "
        "now, the mutation returns CONFLICT with `currentRevision` and stores nothing. Null or omitted: no check."
    )


@strawberry.input(description="Records to store.")
class PutRecordsInput:
    records: list[PutRecordInput] = field(
        description=f"1 to {MAX_BATCH} records with different names. They are stored all or none."
    )


@strawberry.input(description="Records to delete: by their names, or all below a namespace.")
class DeleteRecordsInput:
    keys: Maybe[list[RecordKeyInput] | None] = field(
        description=f"1 to {MAX_BATCH} names. Send exactly one of `keys` and `namespacePrefix`."
    )
    namespace_prefix: Maybe[list[str] | None] = field(
        description="The namespace whose records are deleted, and those of the namespaces below it. An empty list: all "
        "records of the viewer."
    )
    key_to: Maybe[str | None] = field(
        description="With `namespacePrefix`: only records whose key is this one or comes before it. Null or omitted: "
        "all."
    )


@strawberry.type(description="The result of `putRecords`.")
class PutRecordsPayload:
    records: list[Record] = field(
        default_factory=list,
        description="The records as they are stored, in the order of the input; empty after an error.",
    )
    errors: list[UserError] = errors()


@strawberry.type(description="The result of `deleteRecords`.")
class DeleteRecordsPayload:
    deleted_count: int = field(default=0, description="The number of records that were deleted.")
    errors: list[UserError] = errors()


BY_KEY = RecordOrder(field=RecordOrderField.KEY, direction=OrderDirection.ASC)
Prefix = Annotated[
    list[str] | None,
    argument(
        description="The namespace whose records are read, and those of the namespaces below it. Null or omitted: all."
    ),
]


@strawberry.type
class RecordQuery:
    @field(graphql_type=Record | None, description="The record of this name; null if there is none.")
    def record(
        self,
        info: Info,
        namespace: Annotated[list[str], argument(description="The labels of the namespace, the outermost first.")],
        key: Annotated[str, argument(description="The key in the namespace.")],
    ) -> "BatchValue[RecordRow | None] | None":
        path = record.path_to_read(namespace, key)
        return info.context.loaders.records.load(path) if path else None

    @connection(Connection[Record], "The records of the viewer.")
    async def records(
        self,
        ctx: Context,
        window: Window,
        namespace_prefix: Prefix = None,
        filter: Annotated[
            RecordFilter | None, argument(description="Conditions on the records. Null or omitted: all records.")
        ] = None,
        order_by: Annotated[RecordOrder, argument(description="The order of the records. Default: by key.")] = BY_KEY,
    ) -> Slice[RecordRow]:
        order = order_by.field.value, order_by.direction.value
        return await record.page(ctx, window, order, namespace_prefix or (), RecordFilter.parameters(filter))

    @connection(
        Connection[RecordNamespace],
        "The namespaces of the viewer that have records, in their order. The root is not among them.",
    )
    async def record_namespaces(
        self,
        ctx: Context,
        window: Window,
        prefix: Annotated[
            list[str] | None, argument(description="The first labels of the namespaces. Null or omitted: any.")
        ] = None,
        suffix: Annotated[
            list[str] | None, argument(description="The last labels of the namespaces. Null or omitted: any.")
        ] = None,
        max_depth: Annotated[
            int | None,
            argument(
                description=f"The number of labels to which namespaces are shortened, 1 to {MAX_NAMESPACE_LABELS}; "
                "equal ones are returned once. Null or omitted: not shortened."
            ),
        ] = None,
    ) -> Slice[RecordNamespaceRow]:
        return await record.namespaces(ctx, window, prefix or (), suffix or (), max_depth)


def _fields(input: PutRecordInput, index: int) -> dict[str, Any]:
    fields = {"namespace": input.namespace, "key": input.key, **provided_fields(input, "namespace", "key")}
    try:
        return fields | {"session_id": ids.optional(ids.require_session, fields.get("session_id"), "sessionId")}
    except NotFound as unknown:
        raise unknown.within("records", str(index)) from None


@strawberry.type
class RecordMutation:
    @mutation(
        "Stores records under their names, all or none; a record that exists is replaced. Errors: VALIDATION; "
        "NOT_FOUND for a session; CONFLICT if `expectedRevision` differs.",
        input="The records to store.",
    )
    async def put_records(self, work: UnitOfWork, input: PutRecordsInput) -> PutRecordsPayload:
        new = [_fields(each, index) for index, each in enumerate(input.records)]
        return PutRecordsPayload(records=await record.put(work, new))

    @mutation(
        "Deletes records, all or none. A name without a record is no error. Errors: VALIDATION.",
        input="The records to delete.",
    )
    async def delete_records(self, work: UnitOfWork, input: DeleteRecordsInput) -> DeleteRecordsPayload:
        names: Sequence[RecordKeyInput] | None = value_of(input.keys)
        keys = None if names is None else [vars(name) for name in names]
        prefix, key_to = value_of(input.namespace_prefix), value_of(input.key_to)
        return DeleteRecordsPayload(deleted_count=await record.delete(work, keys, prefix, key_to))
