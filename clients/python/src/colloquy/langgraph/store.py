"""A long-term memory for LangGraph whose items are records."""

from collections.abc import Iterable
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.langgraph import memories
from colloquy.steps import Steps


class ColloquyStore(ClientsOwner, BaseStore):
    """Stores the items of one owner, the subject of `token`, in Colloquy.

    Threads and event loops may share a store. The methods without `a` block, also inside a running event loop.
    `query` finds the items of which a string contains it, in upper or lower case; there are no embeddings, and `index`
    is ignored. An item with a `ttl` is absent from then on. A name that no record can have is an InvalidNamespaceError;
    every other failure is a ColloquyError.
    """

    supports_ttl = True

    def __init__(self, url: str, token: Token, *, ttl: TTLConfig | None = None, **options: Any) -> None:
        """`ttl` is LangGraph's configuration of lifetimes; the other arguments are those of `colloquy.Client`."""
        self.clients = Clients(url, token, **options)
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Returns the results. Reads come before writes; of two writes of a key the last one stays."""
        return self.clients.run(_batch(list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`."""
        return await self.clients.run_async(_batch(list(ops)))


def _batch(ops: list[Op]) -> Steps[list[Result]]:
    results: list[Result] = []
    puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
    for op in ops:
        validate_op_namespace(op)
        results.append((yield from _read(op)))
        if isinstance(op, PutOp):
            puts[op.namespace, op.key] = op
    yield from memories.write(puts.values())
    return results


def _read(op: Op) -> Steps[Result]:
    if isinstance(op, GetOp):
        return (yield from memories.get(op))
    if isinstance(op, SearchOp):
        return (yield from memories.search(op))
    if isinstance(op, ListNamespacesOp):
        return (yield from memories.namespaces(op))
    if isinstance(op, PutOp):
        return None
    raise ValueError(f"Unknown operation type: {type(op)}")
