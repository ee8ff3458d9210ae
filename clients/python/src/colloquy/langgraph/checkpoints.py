"""Checkpoints and writes of LangGraph as records.

- A checkpoint is the record `checkpoint id` in the namespace `langgraph, checkpoints, thread, checkpoint namespace`.
- A write is the record `task:index` in `langgraph, writes, thread, checkpoint namespace, checkpoint id`.

`bytes` holds what the saver's serializer returned, and `metadata` what is filtered by.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    SerializerProtocol,
    get_checkpoint_metadata,
    writes_sort_key,
)

from colloquy.labels import label_of
from colloquy.operations.record import new_record
from colloquy.results import Record

CHECKPOINTS, WRITES = ("langgraph", "checkpoints"), ("langgraph", "writes")
MAX_BATCH, MAX_BATCH_BYTES = 100, 2**22  # of one put: the server takes requests of 8 MiB
NewRecord = Mapping[str, Any]


class CheckpointKey(NamedTuple):
    """A checkpoint's thread, checkpoint namespace and id; an empty id stands for the newest checkpoint."""

    thread: str
    ns: str
    id: str

    @classmethod
    def of(cls, config: RunnableConfig) -> "CheckpointKey":
        """The key that a config names."""
        configurable = config["configurable"]
        return cls(
            str(configurable["thread_id"]),
            configurable.get("checkpoint_ns") or "",
            configurable.get("checkpoint_id") or "",
        )

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The namespace of the checkpoints."""
        return (*CHECKPOINTS, label_of(self.thread), label_of(self.ns))

    @property
    def writes(self) -> tuple[str, ...]:
        """The namespace of the writes at this checkpoint."""
        return (*WRITES, label_of(self.thread), label_of(self.ns), label_of(self.id))

    @property
    def config(self) -> RunnableConfig:
        """The config that names this checkpoint."""
        return {"configurable": {"thread_id": self.thread, "checkpoint_ns": self.ns, "checkpoint_id": self.id}}


def checkpoint_record(
    serde: SerializerProtocol, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
) -> tuple[CheckpointKey, NewRecord]:
    """The key of a new checkpoint, and its record."""
    parent = CheckpointKey.of(config)
    target = parent._replace(id=checkpoint["id"])
    complete = get_checkpoint_metadata(config, metadata)
    kind, content = serde.dumps_typed({"checkpoint": checkpoint, "metadata": complete})
    names = {"type": kind, "thread": target.thread, "ns": target.ns, "id": target.id, "parent": parent.id}
    stored = {**names, "metadata": _filterable(complete)}
    return target, new_record(target.checkpoints, label_of(target.id), bytes=content, metadata=stored)


def write_records(
    serde: SerializerProtocol, target: CheckpointKey, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> Iterator[NewRecord]:
    """The records of a task's writes. Those to special channels replace older ones; the others are written once."""
    for position, (channel, value) in enumerate(writes):
        index = WRITES_IDX_MAP.get(channel, position)
        kind, content = serde.dumps_typed(value)
        names = {"type": kind, "task": task_id, "channel": channel, "path": task_path, "index": index}
        key = label_of(f"{task_id}:{index}")
        revision = 0 if index >= 0 else None
        yield new_record(target.writes, key, bytes=content, metadata=names, expected_revision=revision)


def checkpoint_key(record: Record) -> CheckpointKey:
    """The key of the checkpoint in a record."""
    return CheckpointKey(record.metadata["thread"], record.metadata["ns"], record.metadata["id"])


def checkpoint_tuple(serde: SerializerProtocol, record: Record, writes: Iterable[Record]) -> CheckpointTuple:
    """The checkpoint in a record, with the writes in their records."""
    stored = serde.loads_typed((record.metadata["type"], record.bytes))
    target, parent = checkpoint_key(record), record.metadata["parent"]
    ordered = sorted(
        writes, key=lambda write: writes_sort_key(*(write.metadata[name] for name in ("path", "task", "index")))
    )
    return CheckpointTuple(
        config=target.config,
        checkpoint=stored["checkpoint"],
        metadata=stored["metadata"],
        parent_config=target._replace(id=parent).config if parent else None,
        pending_writes=[_pending_write(serde, write) for write in ordered],
    )


def copied(record: Record, thread: str) -> NewRecord:
    """The record of a checkpoint or a write, in another thread."""
    [root, kind, _, *rest] = record.namespace
    metadata = {**record.metadata, "thread": thread} if kind == CHECKPOINTS[1] else record.metadata
    return new_record((root, kind, label_of(thread), *rest), record.key, bytes=record.bytes or b"", metadata=metadata)


def stored_again(record: Record, session_id: str) -> NewRecord:
    """The same record with a session; it is refused if the record has changed."""
    content, names = record.bytes or b"", record.metadata
    more: dict[str, Any] = {"session_id": session_id, "expected_revision": record.revision}
    return new_record(record.namespace, record.key, bytes=content, metadata=names, **more)


def batches(records: Iterable[NewRecord]) -> Iterator[list[NewRecord]]:
    """The records in groups that one put takes."""
    batch: list[NewRecord] = []
    size = 0
    for record in records:
        length = len(record.get("bytes", ""))
        if batch and (len(batch) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def _pending_write(serde: SerializerProtocol, record: Record) -> PendingWrite:
    value = serde.loads_typed((record.metadata["type"], record.bytes))
    return record.metadata["task"], record.metadata["channel"], value


def _filterable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that JSON can represent."""
    return {name: value for name, value in metadata.items() if _is_json({name: value})}


def _is_json(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
