"""A checkpointer for LangGraph whose checkpoints and writes are records."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    SerializerProtocol,
)

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.langgraph import procedures
from colloquy.langgraph.mirror import Mirror


class ColloquySaver(ClientsOwner, BaseCheckpointSaver[str]):
    """Stores the checkpoints of one owner, the subject of `token`, in Colloquy.

    Threads and event loops may share a saver. The methods without `a` block, also inside a running event loop. Every
    failure is a ColloquyError. A request whose response was lost is sent again, and nothing is stored twice.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        messages: str | None = "messages",
        serde: SerializerProtocol | None = None,
        **options: Any,
    ) -> None:
        """Makes a checkpointer that sends nothing yet.

        - `messages`: the channel whose messages are mirrored into a session with the thread's id as its key, from the
          first message on; None mirrors nothing
        - `serde`: LangGraph's serializer
        - `options`: the keyword arguments of `colloquy.Client`
        """
        super().__init__(serde=serde)
        self.clients = Clients(url, token, **options)
        self.mirror = Mirror(messages)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Returns the checkpoint that the config names, or the newest without a `checkpoint_id`; None without it."""
        return self.clients.run(procedures.get(self.serde, self.mirror, config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await self.clients.run_async(procedures.get(self.serde, self.mirror, config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Iterates over checkpoints, the newest first; it requests a page when the iteration reaches it.

        `filter` is compared as PostgresSaver does: the metadata contains it. Without a `checkpoint_ns` in the config
        the checkpoints of all namespaces are in the order in which they were stored.
        """
        listing = procedures.Listing(self.serde, config, filter, before, limit)
        while not listing.ended:
            yield from self.clients.run(listing.next_page())

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        listing = procedures.Listing(self.serde, config, filter, before, limit)
        while not listing.ended:
            for found in await self.clients.run_async(listing.next_page()):
                yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint with all its channel values and returns the config that names it."""
        return self.clients.run(procedures.put(self.serde, self.mirror, config, checkpoint, metadata))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        return await self.clients.run_async(procedures.put(self.serde, self.mirror, config, checkpoint, metadata))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores the writes of a task at a checkpoint; a write that is stored already stays, except an error's."""
        self.clients.run(procedures.put_writes(self.serde, self.mirror, config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`."""
        await self.clients.run_async(procedures.put_writes(self.serde, self.mirror, config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Deletes the checkpoints and the writes of a thread, and erases the session that it is mirrored in."""
        self.clients.run(procedures.delete_thread(self.mirror, thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await self.clients.run_async(procedures.delete_thread(self.mirror, thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints whose metadata have one of these run ids, and their writes."""
        self.clients.run(procedures.delete_for_runs(run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await self.clients.run_async(procedures.delete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies all checkpoints and writes of a thread to another."""
        self.clients.run(procedures.copy_thread(source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await self.clients.run_async(procedures.copy_thread(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes the checkpoints of threads, with `keep_latest` all but the newest of each namespace.

        The ancestors that the newest checkpoint's delta channels are read from stay too.
        """
        self.clients.run(procedures.prune(self.serde, self.mirror, thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        await self.clients.run_async(procedures.prune(self.serde, self.mirror, thread_ids, strategy))

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Returns a version above `current`, and different from one of another process, as InMemorySaver does."""
        number = int(str(current or 0).split(".")[0]) + 1
        return f"{number:032}.{random.random():016}"  # noqa: S311 - not a secret
