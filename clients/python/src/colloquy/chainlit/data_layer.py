"""The data layer: Chainlit's methods over threads, steps, elements, feedback and users."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from chainlit.data.base import BaseDataLayer
from chainlit.data.storage_clients.base import BaseStorageClient
from chainlit.data.utils import queue_until_user_message
from chainlit.element import Element, ElementDict
from chainlit.logger import logger
from chainlit.step import StepDict
from chainlit.types import Feedback, PaginatedResponse, Pagination, ThreadDict, ThreadFilter
from chainlit.user import PersistedUser, User

from colloquy.chainlit import elements, favorites, steps, threads, users
from colloquy.chainlit import feedback as step_feedback
from colloquy.chainlit.turns import Turns
from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.steps import Steps


class ColloquyDataLayer(ClientsOwner, BaseDataLayer):
    """Stores the threads of all users of a Chainlit app in Colloquy; their owner is the subject of `token`.

    Threads, event loops and processes may share a data layer. Every failure is a ColloquyError: Chainlit has no errors
    of its own for data layers. A request whose response was lost is sent again, and nothing is stored twice.
    """

    def __init__(
        self, url: str, token: Token, *, storage_provider: BaseStorageClient | None = None, **options: Any
    ) -> None:
        """Makes a data layer that sends nothing yet.

        `storage_provider` is Chainlit's storage of files; without it elements with a URL are stored, and no others.
        `options` are the keyword arguments of `colloquy.Client`.
        """
        self.clients = Clients(url, token, **options)
        self.storage_provider = storage_provider
        self._turns = Turns()  # Chainlit creates and updates a step in tasks that run at the same time

    async def get_user(self, identifier: str) -> PersistedUser | None:
        """Returns a user; None without it."""
        return await self.clients.run_async(users.get(identifier))

    async def create_user(self, user: User) -> PersistedUser:
        """Creates a user, or replaces the metadata of one with the same identifier."""
        return await self.clients.run_async(users.save(user))

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Stores the feedback of a step and returns its id. A step has one feedback."""
        return await self.clients.run_async(step_feedback.save(asdict(feedback)))

    async def delete_feedback(self, feedback_id: str) -> bool:
        """Deletes feedback."""
        return await self.clients.run_async(step_feedback.delete(feedback_id))

    @queue_until_user_message()
    async def create_element(self, element: Element) -> None:
        """Uploads the content of an element, and stores its description in its thread."""
        if not element.for_id:
            return
        value = element.to_dict()
        if self.storage_provider:
            value = await self._uploaded(element, self.storage_provider)
        elif not element.url:
            logger.warning("There is no storage provider: the element is not stored.")
            return
        await self.clients.run_async(elements.save(value))

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        """Returns an element of a thread; None without it."""
        found = await self.clients.run_async(elements.get(thread_id, element_id))
        return await self._readable(found) if found else None

    @queue_until_user_message()
    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Deletes an element with its file."""
        found = await self.clients.run_async(elements.delete(element_id, thread_id))
        await self._delete_files([found] if found else [])

    @queue_until_user_message()
    async def create_step(self, step_dict: StepDict) -> None:
        """Creates a step; of one that exists, it adds what is absent. A thread that does not exist is created."""
        async with self._turns.of(step_dict["id"]):
            await self.clients.run_async(_save_step(step_dict, create=True))

    @queue_until_user_message()
    async def update_step(self, step_dict: StepDict) -> None:
        """Creates or changes a step."""
        async with self._turns.of(step_dict["id"]):
            await self.clients.run_async(_save_step(step_dict, create=False))

    @queue_until_user_message()
    async def delete_step(self, step_id: str) -> None:
        """Deletes a step with its elements and its feedback."""
        async with self._turns.of(step_id):
            found = await self.clients.run_async(_delete_step(step_id))
        await self._delete_files(found)

    async def get_thread_author(self, thread_id: str) -> str:
        """Returns the identifier of a thread's user. Raises ValueError, as Chainlit's own data layers do."""
        found = await self.clients.run_async(threads.read(thread_id))
        if found is None or found.value["userIdentifier"] is None:
            raise ValueError(f"Author not found for thread_id {thread_id}")
        return str(found.value["userIdentifier"])

    async def delete_thread(self, thread_id: str) -> None:
        """Erases a thread with its steps, elements, files and feedback permanently."""
        await self._delete_files(await self.clients.run_async(threads.delete(thread_id)))

    async def list_threads(self, pagination: Pagination, filters: ThreadFilter) -> PaginatedResponse[ThreadDict]:
        """Returns a page of a user's threads without their steps, the newest first."""
        return await self.clients.run_async(threads.page(pagination, filters))

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """Returns a thread with its steps and elements; None without it."""
        found = await self.clients.run_async(threads.get(thread_id))
        if found:
            found["elements"] = [await self._readable(each) for each in found["elements"] or []]
        return found

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Creates a thread or changes what is not None; a value None in `metadata` deletes its key."""
        await self.clients.run_async(threads.update(thread_id, name, user_id, metadata, tags))

    async def build_debug_url(self) -> str:
        """Returns an empty text: there is no page for one message."""
        return ""

    async def close(self) -> None:  # type: ignore[override]
        """Closes the connections of the running event loop and the storage of files."""
        if self.storage_provider:
            await self.storage_provider.close()
        await self.aclose()
        self.clients.close()

    def __exit__(self, *_: object) -> None:
        self.clients.close()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        """Returns the steps that a user has marked, the newest first."""
        return await self.clients.run_async(favorites.of(user_id))

    async def _uploaded(self, element: Element, storage: BaseStorageClient) -> ElementDict:
        """The description of an element whose content the storage has."""
        content = await run_sync(Path(element.path).read_bytes) if element.path else element.content
        if content is None:
            return element.to_dict()  # its content is elsewhere, under its URL
        element.mime = element.mime or "application/octet-stream"
        key = f"{element.thread_id}/{element.id}/{element.name}"
        stored = await storage.upload_file(object_key=key, data=content, mime=element.mime, overwrite=True)
        if not stored:
            raise ValueError("The storage provider has not stored the content of the element.")
        return {**element.to_dict(), "url": stored.get("url"), "objectKey": stored.get("object_key")}

    async def _readable(self, found: ElementDict) -> ElementDict:
        """The element with a URL that can be read now."""
        if self.storage_provider and (key := found.get("objectKey")):
            return {**found, "url": await self.storage_provider.get_read_url(object_key=key)}
        return found

    async def _delete_files(self, found: list[Mapping[str, Any]]) -> None:
        for each in found:
            if self.storage_provider and (key := each.get("objectKey")):
                await self.storage_provider.delete_file(object_key=key)


def _save_step(step: StepDict, *, create: bool) -> Steps[None]:
    session_id = yield from threads.session_id(step["threadId"])
    yield from steps.save(step, session_id, create=create)
    yield from favorites.mark(step)


def _delete_step(step_id: str) -> Steps[list[Mapping[str, Any]]]:
    """Deletes a step and returns its elements, whose files the caller deletes."""
    thread_id = yield from steps.delete(step_id)
    return (yield from elements.delete_of_step(thread_id, step_id)) if thread_id else []
