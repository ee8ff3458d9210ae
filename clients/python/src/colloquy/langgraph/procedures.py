"""What the checkpointer sends, for both clients: see `colloquy.steps`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    SerializerProtocol,
    get_checkpoint_id,
)

from colloquy.errors import Conflict
from colloquy.labels import label_of
from colloquy.langgraph.checkpoints import (
    CHECKPOINTS,
    WRITES,
    CheckpointKey,
    batches,
    checkpoint_key,
    checkpoint_record,
    checkpoint_tuple,
    copied,
    write_records,
)
from colloquy.langgraph.mirror import Mirror
from colloquy.operations.record import delete_records, put_records, record, record_page, records
from colloquy.results import Record
from colloquy.steps import Steps, every

PAGE_SIZE = 20  # a checkpoint may be large


def get(serde: SerializerProtocol, mirror: Mirror, config: RunnableConfig) -> Steps[CheckpointTuple | None]:
    """Reads one checkpoint with its writes."""
    target = CheckpointKey.of(config)
    if target.id:
        found = yield record(target.checkpoints, label_of(target.id))
    else:
        newest = yield record_page(target.checkpoints, last=1)
        found = newest.nodes[0] if newest.nodes else None
    if found is None:
        return None
    mirror.remember(target.thread, found)
    return checkpoint_tuple(serde, found, (yield from _writes(checkpoint_key(found))))


class Listing:
    """Reads checkpoints page by page, the newest first."""

    def __init__(
        self,
        serde: SerializerProtocol,
        config: RunnableConfig | None,
        filter: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        configurable = config["configurable"] if config else {}
        self._serde = serde
        self._prefix, order = _scope(configurable)
        self._conditions: dict[str, Any] = {"order": order, "direction": "DESC"}
        if checkpoint_id := configurable.get("checkpoint_id"):
            self._conditions |= {"key_from": label_of(checkpoint_id), "key_to": label_of(checkpoint_id)}
        newer = get_checkpoint_id(before) if before else None
        self._before = label_of(newer) if newer else None
        if self._before:
            self._conditions["key_to"] = min(self._before, self._conditions.get("key_to", self._before))
        if filter:
            self._conditions["metadata_contains"] = {"metadata": filter}
        self._left, self._cursor = limit, None
        self.ended = limit is not None and limit <= 0

    def next_page(self) -> Steps[list[CheckpointTuple]]:
        """Reads the next page with its writes."""
        size = PAGE_SIZE if self._left is None else min(PAGE_SIZE, self._left + 1)  # one may be `before` itself
        page = yield record_page(self._prefix, first=size, after=self._cursor, **self._conditions)
        found = [node for node in page.nodes if node.key != self._before][: self._left]
        self._cursor = page.info.end_cursor
        if self._left is not None:
            self._left -= len(found)
        self.ended = not page.info.has_next_page or self._left == 0
        tuples = []
        for node in found:
            tuples.append(checkpoint_tuple(self._serde, node, (yield from _writes(checkpoint_key(node)))))
        return tuples


def put(
    serde: SerializerProtocol,
    mirror: Mirror,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
) -> Steps[RunnableConfig]:
    """Stores one checkpoint, and then its new messages."""
    target, new = checkpoint_record(serde, config, checkpoint, metadata)
    yield from mirror.put(target.thread, [new])
    yield from mirror.append(target, checkpoint)
    return target.config


def put_writes(
    serde: SerializerProtocol,
    mirror: Mirror,
    config: RunnableConfig,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
) -> Steps[None]:
    """Stores the writes of a task, all or none; after a conflict only those that no other call has stored."""
    target = CheckpointKey.of(config)
    new = {each["key"]: each for each in write_records(serde, target, writes, task_id, task_path)}
    while new:
        try:
            return (yield from mirror.put(target.thread, new.values()))
        except Conflict:
            stored = {write.key for write in (yield from _writes(target))}
            new = {key: each for key, each in new.items() if key not in stored or each["expectedRevision"] is None}


def delete_thread(mirror: Mirror, thread_id: str) -> Steps[None]:
    """Deletes the checkpoints, the writes and the session of a thread."""
    for kind in (CHECKPOINTS, WRITES):
        yield delete_records(namespace_prefix=(*kind, label_of(str(thread_id))))
    yield from mirror.delete(str(thread_id))


def delete_for_runs(run_ids: Iterable[str]) -> Steps[None]:
    """Deletes the checkpoints of runs, with their writes."""
    for run_id in run_ids:
        of_run = records(CHECKPOINTS, PAGE_SIZE, metadata_contains={"metadata": {"run_id": str(run_id)}})
        yield from _delete((yield from every(of_run)))


def copy_thread(source: str, target: str) -> Steps[None]:
    """Copies the writes of a thread, and then its checkpoints."""
    for kind in (WRITES, CHECKPOINTS):
        found = yield from every(records((*kind, label_of(str(source))), PAGE_SIZE))
        for batch in batches(copied(each, str(target)) for each in found):
            yield put_records(batch)


def prune(serde: SerializerProtocol, mirror: Mirror, thread_ids: Iterable[str], strategy: str) -> Steps[None]:
    """Deletes all checkpoints of threads, or those that the newest ones do not need."""
    if strategy not in ("keep_latest", "delete"):
        raise ValueError(f"Unknown pruning strategy: {strategy}")
    for thread_id in thread_ids:
        if strategy == "delete":
            yield from delete_thread(mirror, thread_id)
            continue
        by_namespace: dict[str, dict[str, Record]] = defaultdict(dict)
        for each in (yield from every(records((*CHECKPOINTS, label_of(str(thread_id))), PAGE_SIZE))):
            by_namespace[checkpoint_key(each).ns][checkpoint_key(each).id] = each
        for by_id in by_namespace.values():
            kept = _needed(serde, by_id)
            yield from _delete([each for each in by_id.values() if checkpoint_key(each).id not in kept])


def _scope(configurable: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The namespace that a config names, and the order of its checkpoints: ids are compared in one namespace only."""
    if "thread_id" not in configurable:
        return CHECKPOINTS, "UPDATED_AT"
    thread = (*CHECKPOINTS, label_of(str(configurable["thread_id"])))
    ns = configurable.get("checkpoint_ns")
    return (thread, "UPDATED_AT") if ns is None else ((*thread, label_of(ns)), "KEY")


def _writes(target: CheckpointKey) -> Steps[list[Record]]:
    return every(records(target.writes, 100))


def _delete(checkpoints: Sequence[Record]) -> Steps[None]:
    for start in range(0, len(checkpoints), 100):
        yield delete_records([(each.namespace, each.key) for each in checkpoints[start : start + 100]])
    for each in checkpoints:
        yield delete_records(namespace_prefix=checkpoint_key(each).writes)


def _needed(serde: SerializerProtocol, by_id: Mapping[str, Record]) -> set[str]:
    """The newest checkpoint, and its ancestors up to one that holds a value of each of its delta channels."""
    newest = checkpoint_tuple(serde, by_id[max(by_id)], ())
    missing = (
        newest.metadata.get("counters_since_delta_snapshot", {}).keys() - newest.checkpoint["channel_values"].keys()
    )
    kept, current = {max(by_id)}, max(by_id)
    while missing and (current := by_id[current].metadata["parent"]) in by_id:
        kept.add(current)
        missing -= checkpoint_tuple(serde, by_id[current], ()).checkpoint["channel_values"].keys()
    return kept
