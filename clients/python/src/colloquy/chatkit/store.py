"""The store: ChatKit's methods over threads, items and attachments."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, NamedTuple

from chatkit.errors import ErrorCode, StreamError
from chatkit.store import NotFoundError, Store, TContext
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

from colloquy.chatkit import items, threads
from colloquy.clients import Clients, ClientsOwner
from colloquy.errors import ColloquyError, Conflict, NotFound, RateLimited, TimedOut, Unreachable
from colloquy.labels import label_of
from colloquy.operations.record import delete_records, new_record, put_records, record
from colloquy.steps import Steps, T

ATTACHMENTS = (threads.ROOT, "attachments")
ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)
MAX_SESSIONS = 10_000  # in the cache
TEMPORARY = (Unreachable, TimedOut, RateLimited)


class Caller(NamedTuple):
    """Who calls: the bearer token, and the owner for whom it acts."""

    token: str
    owner: str | None


class ColloquyStore(ClientsOwner, Store[TContext], Generic[TContext]):
    """Stores the threads of many owners in Colloquy: each call sends the token of its context.

    Threads, event loops and processes may share a store. What does not exist, or belongs to another owner, is a
    NotFoundError, every other failure a StreamError. A request whose response was lost is sent again, and nothing is
    stored twice.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[TContext], str],
        *,
        owner: Callable[[TContext], str] | None = None,
        **options: Any,
    ) -> None:
        """Makes a store that sends nothing yet.

        `token` returns the bearer token of a context. With `owner` that token has the scope `chat:act`, and `owner`
        returns the owner to act for. `options` are the keyword arguments of `colloquy.Client`.
        """
        self._caller: ContextVar[Caller] = ContextVar("caller")
        self.clients = Clients(url, lambda: self._caller.get().token, owner=lambda: self._caller.get().owner, **options)
        self._token_of, self._owner_of = token, owner
        self._sessions: dict[tuple[Caller, str], str] = {}

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Returns a thread."""
        return await self._run(threads.load(thread_id), context)

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Creates or replaces a thread."""
        await self._run(threads.save(thread), context)

    async def load_threads(self, limit: int, after: str | None, order: str, context: TContext) -> Page[ThreadMetadata]:
        """Returns a page of the owner's threads, by the time of creation; `order` is `asc` or `desc`."""
        return await self._run(threads.page(limit, after, order), context)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Erases a thread with its items and attachments permanently."""
        await self._run(threads.delete(thread_id), context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Appends an item to a thread."""
        await self._run(self._add(thread_id, item), context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Replaces an item, or appends it if there is none with its id."""
        await self._run(self._save(thread_id, item), context)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Returns an item."""
        return await self._run(items.load(thread_id, item_id), context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Returns a page of a thread's items; an empty one without the thread."""
        return await self._run(items.page(thread_id, after, limit, order), context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Deletes an item."""
        await self._run(items.delete(thread_id, item_id), context)

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Creates or replaces the description of an attachment; that of a thread is erased with the thread."""
        await self._run(self._save_attachment(attachment), context)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Returns the description of an attachment."""
        found = await self._run(_one(record(ATTACHMENTS, label_of(attachment_id))), context)
        if found is None:
            raise NotFoundError(f"Attachment {attachment_id} not found")
        return ATTACHMENT.validate_python(found.value)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Deletes the description of an attachment."""
        await self._run(_one(delete_records([(ATTACHMENTS, label_of(attachment_id))])), context)

    async def _run(self, steps: Steps[T], context: TContext) -> T:
        caller = Caller(self._token_of(context), self._owner_of(context) if self._owner_of else None)
        mark = self._caller.set(caller)
        try:
            with _chatkit_errors():
                return await self.clients.run_async(steps)
        finally:
            self._caller.reset(mark)

    def _add(self, thread_id: str, item: ThreadItem) -> Steps[None]:
        cached = self._sessions.get((self._caller.get(), thread_id))
        if cached is not None:
            try:
                return (yield from items.add(cached, item))
            except NotFound:
                pass  # another program has erased the session
        yield from items.add((yield from self._session(thread_id)), item)

    def _save(self, thread_id: str, item: ThreadItem) -> Steps[None]:
        if not (yield from items.save(thread_id, item)):
            try:
                yield from self._add(thread_id, item)
            except Conflict:  # another call has appended it
                yield from items.save(thread_id, item)

    def _save_attachment(self, attachment: Attachment) -> Steps[None]:
        target = (yield from self._session(attachment.thread_id)) if attachment.thread_id else None
        value = attachment.model_dump(mode="json")
        yield put_records([new_record(ATTACHMENTS, label_of(attachment.id), value, session_id=target)])

    def _session(self, thread_id: str) -> Steps[str]:
        found = yield from threads.session_id(thread_id)
        if len(self._sessions) >= MAX_SESSIONS:
            self._sessions.clear()
        self._sessions[self._caller.get(), thread_id] = found
        return found


def _one(operation: Any) -> Steps[Any]:
    return (yield operation)


@contextmanager
def _chatkit_errors() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise NotFoundError(error.message) from error
    except ColloquyError as error:
        raise StreamError(ErrorCode.STREAM_ERROR, allow_retry=isinstance(error, TEMPORARY)) from error
