"""Pollers: each reads a session with queries, and compares with what was known before each of them began."""

from typing import Any

from chaos.client import Client
from chaos.versions import Version, Versions, merge, older
from chaos.writers import Writer

PAUSE_SECONDS = 0.1, 0.4
MESSAGE = "id sequence revision text"
POLL = f"""
query ($id: ID!) {{
  session(id: $id) {{ id revision messages(last: 100) {{ nodes {{ {MESSAGE} }} }} }}
  sessions(first: 20) {{ nodes {{ id revision lastMessage {{ {MESSAGE} }} }} }}
}}
"""


class Poller:
    """Reads one session, as a page and in the list of sessions, on another server each time."""

    def __init__(self, client: Client, session: str, writers: list[Writer]) -> None:
        self.client, self.session, self._writers = client, session, writers
        self.reads = 0
        self.read_less: list[str] = []
        self._shown: Versions = {}

    async def poll(self) -> None:
        """Reads until it is cancelled."""
        while True:
            expected = self.known()
            self.compare(expected, await self.client.execute(POLL, id=self.session))
            self.client.switch_replica()
            await self.client.pause(*PAUSE_SECONDS)

    def known(self) -> Versions:
        """What was acknowledged to any writer of the session so far, or shown to this poller."""
        known = dict(self._shown)
        for acknowledged in (writer.acknowledged for writer in self._writers):
            merge(known, acknowledged.versions)
            merge(known, {self.session: acknowledged.session})
        return known

    def compare(self, expected: Versions, answer: dict[str, Any]) -> None:
        """Counts what is older in an answer than it has to be."""
        self.reads += 1
        listed = {session["id"]: session for session in answer["sessions"]["nodes"]}.get(self.session)
        page = _versions(answer["session"], answer["session"] and answer["session"]["messages"]["nodes"])
        entry = _versions(listed, listed and [listed["lastMessage"]])
        for found in (page, entry):
            self.read_less += older(found, expected)
            merge(self._shown, found)


def _versions(session: dict[str, Any] | None, messages: list[dict[str, Any] | None] | None) -> Versions:
    if session is None:
        return {}
    found = {session["id"]: Version(0, session["revision"], 0)}
    for message in messages or ():
        if message is not None:
            found[message["id"]] = Version(message["sequence"], message["revision"], len(message["text"] or ""))
    return found
