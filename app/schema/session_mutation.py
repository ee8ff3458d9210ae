"""Mutations of sessions: inputs, payloads and fields."""

from enum import StrEnum

import strawberry
from strawberry import Maybe

from app.db.reading.rows import SessionRow
from app.live.cursors import SessionCursor
from app.resolvers import session
from app.schema import ids
from app.schema.base import enum
from app.schema.descriptions import CHANGED_METADATA, EXPECTED_REVISION, NEW_METADATA
from app.schema.inputs import provided_fields, value_of
from app.schema.mutation import mutation
from app.schema.payload import cursor, errors
from app.schema.scalars import DateTime, Json
from app.schema.session import Session, SessionStatus
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

field = strawberry.field


@strawberry.input(description="The values of a new session.")
class CreateSessionInput:
    key: Maybe[str | None] = field(
        description="A key that the client chooses, unique per owner, 1 to 255 characters. If another session has the "
        "key: CONFLICT. Null or omitted: no key."
    )
    title: Maybe[str | None] = field(
        description="The title, at most 255 characters. Null, omitted or empty: the first USER message gives the title."
    )
    agent_type: Maybe[str | None] = field(
        description="The type of agent for which the session is created, 1 to 255 characters; one of AGENT_TYPES if "
        "the server has this setting. The cap on active sessions counts sessions per agent type. Null or omitted: "
        "none, and no cap."
    )
    task_id: Maybe[strawberry.ID | None] = field(description="The id of the task on which the session works.")
    role: Maybe[str | None] = field(
        description="The role that the session serves, 1 to 255 characters. Null or omitted: none."
    )
    status: Maybe[SessionStatus | None] = field(
        description="The first status: PENDING or ACTIVE. Null or omitted: PENDING."
    )
    metadata: Maybe[Json | None] = field(description=NEW_METADATA)
    expires_at: Maybe[DateTime | None] = field(
        description="The time at which the session becomes EXPIRED permanently; it must be in the future. Null or "
        "omitted: never."
    )
    client_created_at: Maybe[DateTime | None] = field(
        description="The time of creation on the client's clock. The server stores it and does not use it for any "
        "order."
    )


@strawberry.input(description="The changes of a session. An omitted field keeps its value.")
class UpdateSessionInput:
    id: strawberry.ID = field(description="The id of the session to change.")
    title: Maybe[str | None] = field(
        description="The new title, at most 255 characters. Empty: the next USER message gives the title. Null is "
        "refused."
    )
    metadata: Maybe[Json | None] = field(description=CHANGED_METADATA)
    expires_at: Maybe[DateTime | None] = field(
        description="The new time at which the session becomes EXPIRED permanently; it must be in the future. Null: "
        "never."
    )
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)


@strawberry.input(description="The next status of a session.")
class SetSessionStatusInput:
    id: strawberry.ID = field(description="The id of the session to change.")
    status: SessionStatus = field(
        description="The next status: ACTIVE after PENDING, COMPLETED or FAILED after ACTIVE. Any other change: "
        "ILLEGAL_TRANSITION."
    )
    metadata: Maybe[Json | None] = field(description=CHANGED_METADATA)
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)


@strawberry.input(description="The session to which a mutation applies.")
class SessionIdInput:
    id: strawberry.ID = field(description="The id of the session.")


@enum(
    "The kind of deletion of a session.",
    SOFT="The session leaves the lists and accepts no changes. `restoreSession` undoes this.",
    HARD="The session and everything in it are erased. This cannot be undone.",
)
class DeleteMode(StrEnum):
    SOFT = "SOFT"
    HARD = "HARD"


@strawberry.input(description="The session to delete, and the kind of deletion.")
class DeleteSessionInput:
    id: strawberry.ID = field(description="The id of the session.")
    mode: DeleteMode = field(default=DeleteMode.SOFT, description="The kind of deletion.")
    dry_run: bool = field(
        default=False, description="`true`: count the messages that the deletion would remove, and delete nothing."
    )


@strawberry.input(description="The message up to which the owner has read a session.")
class MarkSessionReadInput:
    id: strawberry.ID = field(description="The id of the session.")
    up_to_sequence: int = field(
        description="The `sequence` of the last message that was read, 0 or more. A number below the stored one "
        "changes nothing; a number above the newest message counts as the newest message."
    )


def event_cursor(row: SessionRow) -> str:
    """The event cursor of the newest change in a session."""
    return str(SessionCursor.at(row.id, row.head))


@strawberry.type(description="The result of a mutation of a session.")
class SessionPayload:
    session: Session | None = field(default=None, description="The session after the mutation; null after an error.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow) -> "SessionPayload":
        return cls(session=row, cursor=event_cursor(row))


@strawberry.type(description="The result of the creation of a session.")
class CreateSessionPayload:
    session: Session | None = field(default=None, description="The new session; null after an error.")
    cursor: str | None = cursor()
    evicted: list[Session] = field(
        default_factory=list,
        description="The sessions of the same agent type that the server archived because of the cap on active "
        "sessions.",
    )
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow, evicted: list[SessionRow]) -> "CreateSessionPayload":
        return cls(session=row, cursor=event_cursor(row), evicted=evicted)


@strawberry.type(description="The result of the deletion of a session.")
class DeleteSessionPayload:
    deleted_id: strawberry.ID | None = field(
        default=None, description="The id of the deleted session; null after an error or a dry run."
    )
    deleted_message_count: int = field(
        default=0, description="The number of messages in the deleted session; after a dry run, in the session."
    )
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow, message_count: int) -> "DeleteSessionPayload":
        return cls(deleted_id=ids.session(row.id), deleted_message_count=message_count, cursor=event_cursor(row))


@strawberry.type
class SessionMutation:
    @mutation(
        "Creates a session. The cap: with an agent type, at most MAX_ACTIVE_SESSIONS_PER_AGENT_TYPE (5 by default) "
        "sessions of this type are PENDING or ACTIVE and neither archived nor deleted; the server archives the least "
        "recently active ones to make room. Errors: VALIDATION; NOT_FOUND for the task; CONFLICT if the key is in use.",
        input="The values of the new session.",
    )
    async def create_session(self, work: UnitOfWork, input: CreateSessionInput) -> CreateSessionPayload:
        fields = provided_fields(input)
        fields["task_id"] = ids.optional(ids.require_task, fields.get("task_id"), "taskId")
        return CreateSessionPayload.of(*await session.create(work, fields))

    @mutation(
        "Changes the given values of a session. Errors: VALIDATION, NOT_FOUND; CONFLICT if `expectedRevision` differs.",
        input="The session and its new values.",
    )
    async def update_session(self, work: UnitOfWork, input: UpdateSessionInput) -> SessionPayload:
        fields = provided_fields(input, "id", "expected_revision")
        session_id = ids.require_session(input.id)
        return SessionPayload.of(await session.update(work, session_id, fields, value_of(input.expected_revision)))

    @mutation(
        "Sets the next status of a session: ACTIVE after PENDING, COMPLETED or FAILED after ACTIVE. Errors: "
        "VALIDATION, NOT_FOUND, ILLEGAL_TRANSITION; CONFLICT if `expectedRevision` differs.",
        input="The session and its next status.",
    )
    async def set_session_status(self, work: UnitOfWork, input: SetSessionStatusInput) -> SessionPayload:
        fields = provided_fields(input, "id", "status", "expected_revision")
        session_id, expected_revision = ids.require_session(input.id), value_of(input.expected_revision)
        return SessionPayload.of(
            await session.set_status(work, session_id, input.status.value, fields, expected_revision)
        )

    @mutation(
        "Archives a session: it leaves the default list, and does not count for the cap on active sessions. A second "
        "call changes nothing. Errors: NOT_FOUND.",
        input="The session to archive.",
    )
    async def archive_session(self, work: UnitOfWork, input: SessionIdInput) -> SessionPayload:
        return SessionPayload.of(await session.archive(work, ids.require_session(input.id)))

    @mutation(
        "Undoes the archiving and the SOFT deletion of a session. For a session that is neither, it changes nothing. "
        "Errors: NOT_FOUND; LIMIT if the session would exceed the cap on active sessions.",
        input="The session to restore.",
    )
    async def restore_session(self, work: UnitOfWork, input: SessionIdInput) -> SessionPayload:
        return SessionPayload.of(await session.restore(work, ids.require_session(input.id)))

    @mutation(
        "Deletes a session: SOFT can be undone, HARD erases the session and everything in it. SOFT deletion cancels "
        "STREAMING messages; a second SOFT deletion changes nothing. Errors: NOT_FOUND.",
        input="The session and the kind of deletion.",
    )
    async def delete_session(self, work: UnitOfWork, input: DeleteSessionInput) -> DeleteSessionPayload:
        session_id = ids.require_session(input.id)
        if input.dry_run:
            return DeleteSessionPayload(deleted_message_count=await session.count_messages(work, session_id))
        return DeleteSessionPayload.of(*await session.delete(work, session_id, hard=input.mode is DeleteMode.HARD))

    @mutation(
        "Stores the message up to which the owner has read a session, and so changes `unreadCount`. Errors: "
        "VALIDATION, NOT_FOUND.",
        input="The session and the last message that was read.",
    )
    async def mark_session_read(self, work: UnitOfWork, input: MarkSessionReadInput) -> SessionPayload:
        session_id = ids.require_session(input.id)
        return SessionPayload.of(await session.mark_read(work, session_id, input.up_to_sequence))
