"""A session store for the Claude Agent SDK (https://github.com/anthropics/claude-agent-sdk-python).

Each append is one record or several: a part of the transcript as JSON lines. A head record for each transcript has the
number of parts and the SDK's summary; an append stores both at once and compares the head's revision, so that
concurrent appends of several processes have one order.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.errors import ColloquyError, Conflict
from colloquy.extras import extra
from colloquy.labels import label_of
from colloquy.operations.record import delete_records, new_record, put_records, record, records
from colloquy.results import Record
from colloquy.steps import Steps, T, every

with extra("claude-agent-sdk"):
    import anyio.to_thread
    from claude_agent_sdk import ClaudeSDKError, fold_session_summary
    from claude_agent_sdk.types import (
        SessionKey,
        SessionListSubkeysKey,
        SessionStore,
        SessionStoreEntry,
        SessionStoreListEntry,
        SessionSummaryEntry,
    )

ROOT = "claude-agent-sdk"
PART_BYTES = 512 * 1024
PAGE_SIZE = 10  # of parts
MAX_HEADS = 1_000  # in the cache


class Transcript(NamedTuple):
    """The names of a transcript's records: its head, and the namespace of its parts."""

    head: tuple[tuple[str, ...], str]
    parts: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, key: SessionKey) -> Self:
        """The names for the SDK's key."""
        path = _path(key)
        if subpath := key.get("subpath"):
            label = label_of(subpath)
            return cls(((ROOT, "subpaths", *path), label), (ROOT, "parts", *path, "subpaths", label), subpath)
        return cls(((ROOT, "sessions", path[0]), path[1]), (ROOT, "parts", *path, "main"), key["session_id"])


class ColloquySessionStore(ClientsOwner, SessionStore):
    """Stores the transcripts of one owner, the subject of `token`, in Colloquy.

    Threads, event loops and processes may share a store. Every failure is a ClaudeSDKError. A request whose response
    was lost is sent again, and an entry with a `uuid` that is stored already is ignored.
    """

    def __init__(self, url: str, token: Token, **options: Any) -> None:
        """The arguments are those of `colloquy.Client`, keyword arguments included."""
        self.clients = Clients(url, token, **options)
        self._heads: dict[Transcript, Record | None] = {}

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Appends entries in order, all or none."""
        if entries:
            with _sdk_errors():
                await self._run(self._append(key, entries))

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """Returns all entries; None without the transcript."""
        with _sdk_errors():
            parts = await self._run(every(records(Transcript.of(key).parts, PAGE_SIZE)))
        return _entries(parts) if parts else None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """Returns the ids of a project's sessions and the times of their newest appends, in epoch milliseconds."""
        heads = await self._list((ROOT, "sessions", label_of(project_key)))
        return [{"session_id": each.value["name"], "mtime": _mtime(each)} for each in heads]

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """Returns the summaries of a project's sessions."""
        return [_summary(each) for each in await self._list((ROOT, "sessions", label_of(project_key)))]

    async def delete(self, key: SessionKey) -> None:
        """Deletes one transcript; with that of a session, those of its subpaths."""
        with _sdk_errors():
            await self._run(self._delete(key))

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """Returns the subpaths of a session."""
        return [each.value["name"] for each in await self._list((ROOT, "subpaths", *_path(key)))]

    async def _list(self, namespace: tuple[str, ...]) -> list[Record]:
        with _sdk_errors():
            return await self._run(every(records(namespace, 100)))

    async def _run(self, steps: Steps[T]) -> T:
        """Runs the procedure in the event loop; under trio, which the SDK supports too, in a thread."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return await anyio.to_thread.run_sync(self.clients.run, steps)
        return await self.clients.run_async(steps)

    def _append(self, key: SessionKey, entries: Sequence[SessionStoreEntry]) -> Steps[None]:
        transcript = Transcript.of(key)
        head = self._heads.get(transcript) or (yield record(*transcript.head))
        while True:
            try:
                stored = yield put_records(_appended(transcript, key, head, entries))
            except Conflict:
                head = yield record(*transcript.head)  # another append was faster, or the transcript was deleted
            else:
                break
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        self._heads[transcript] = stored[-1]

    def _delete(self, key: SessionKey) -> Steps[None]:
        """Deletes the head last: a deletion that failed half-way is listed and can be repeated."""
        transcript = Transcript.of(key)
        if key.get("subpath"):
            yield delete_records(namespace_prefix=transcript.parts)
        else:
            yield delete_records(namespace_prefix=(ROOT, "parts", *_path(key)))
            yield delete_records(namespace_prefix=(ROOT, "subpaths", *_path(key)))
        yield delete_records([transcript.head])
        self._heads.pop(transcript, None)


def _path(key: SessionKey | SessionListSubkeysKey) -> tuple[str, str]:
    return label_of(key["project_key"]), label_of(key["session_id"])


def _appended(
    transcript: Transcript, key: SessionKey, head: Record | None, entries: Sequence[SessionStoreEntry]
) -> list[dict[str, Any]]:
    """The new parts, and the head that counts them."""
    lines = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
    parts = [lines[start : start + PART_BYTES] for start in range(0, len(lines), PART_BYTES)]
    first = head.value["parts"] if head else 0
    new = [
        new_record(transcript.parts, f"{number:010}", bytes=part, expected_revision=0)
        for number, part in enumerate(parts, first)
    ]
    value: dict[str, Any] = {"name": transcript.name, "parts": first + len(parts)}
    if not key.get("subpath"):
        value["summary"] = fold_session_summary(_summary(head) if head else None, key, list(entries))["data"]
    return [*new, new_record(*transcript.head, value, expected_revision=head.revision if head else 0)]


def _entries(parts: Sequence[Record]) -> list[SessionStoreEntry]:
    """The entries of all parts, without those whose `uuid` an earlier one has."""
    lines = b"".join(part.bytes or b"" for part in parts).splitlines()
    found: dict[Any, SessionStoreEntry] = {}
    for number, line in enumerate(lines):
        entry = json.loads(line)
        found.setdefault(entry.get("uuid") or number, entry)
    return list(found.values())


def _summary(head: Record) -> SessionSummaryEntry:
    return {"session_id": head.value["name"], "mtime": _mtime(head), "data": head.value["summary"]}


def _mtime(head: Record) -> int:
    return int(head.updated_at.timestamp() * 1000)


@contextmanager
def _sdk_errors() -> Iterator[None]:
    try:
        yield
    except ColloquyError as error:
        raise ClaudeSDKError(f"{error.code}: {error}") from error
