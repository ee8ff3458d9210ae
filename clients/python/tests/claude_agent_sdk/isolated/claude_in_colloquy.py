"""A pytest plugin: `claude_agent_sdk.InMemorySessionStore` is our store, of a new owner each time."""

import claude_agent_sdk
from claude_agent_sdk._internal import session_store
from colloquy.claude_agent_sdk import ColloquySessionStore, Transcript, _entries
from session_stores import URL, new_owner, token


class OwnStore(ColloquySessionStore):
    """A store with the arguments and the test helpers of InMemorySessionStore."""

    def __init__(self) -> None:
        super().__init__(URL, token(new_owner()))

    def get_entries(self, key) -> list:
        return _entries(list(self.client.records(Transcript.of(key).parts)))

    @property
    def size(self) -> int:
        return len(list(self.client.records(("claude-agent-sdk", "sessions"))))

    def clear(self) -> None:
        self.client.delete_records(namespace_prefix=())


claude_agent_sdk.InMemorySessionStore = OwnStore
session_store.InMemorySessionStore = OwnStore
