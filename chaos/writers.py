"""Writers: each keeps a conversation going and remembers what was acknowledged."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.client import Client
from chaos.versions import NOTHING, Version

PAUSE_SECONDS = 0.01, 0.08
CHUNKS = [" tea", " with milk,", " no sugar", "\n", " 🫖", " é", " and then some more of it"]
SELECTED = "id sequence revision"
RESTART_PROBABILITY, CANCEL_PROBABILITY = 0.1, 0.3


@dataclass
class Acknowledged:
    """What the server has acknowledged to one writer: messages by id, and the last title if the writer renames."""

    texts: dict[str, str] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    """By id, of messages that are being written too."""
    title: str | None = None
    session: Version = NOTHING
    acts: int = 0


class Writer:
    """One of several writers of a session."""

    def __init__(self, client: Client, session: str, name: str, *, renames: bool) -> None:
        self.client, self.session, self.name, self.renames = client, session, name, renames
        self.acknowledged = Acknowledged()
        self.stopping = False
        self._numbers: Counter[str] = Counter()

    async def write(self) -> None:
        """Acts until `stopping` is set; the last act is acknowledged too."""
        while not self.stopping:
            await self._act()
            self.acknowledged.acts += 1
            await self.client.pause(*PAUSE_SECONDS)

    async def _act(self) -> None:
        acts = [self._append, self._append, self._append, self._edit, self._stream]
        await self.client.random.choice([*acts, self._rename] if self.renames else acts)()

    def _next(self, what: str) -> str:
        """A text that occurs nowhere else, used as a key too."""
        self._numbers[what] += 1
        return f"{self.name} {what} {self._numbers[what]}"

    def _record(self, message: dict[str, Any], text: str, status: str = "COMPLETE") -> None:
        self.acknowledged.texts[message["id"]] = text
        self.acknowledged.sequences[message["id"]] = message["sequence"]
        self.acknowledged.statuses[message["id"]] = status
        self._record_version(message, text)

    def _record_version(self, message: dict[str, Any], text: str) -> None:
        self.acknowledged.versions[message["id"]] = Version(message["sequence"], message["revision"], len(text))

    async def _append(self) -> None:
        """With an idempotency key, with a message key, or with both: each alone prevents a second message."""
        text = self._next("says")
        key, message_key = self.client.random.choice([(text, None), (None, text), (text, text)])
        message = {"role": "USER", "text": text, "key": message_key}
        payload = await self.client.mutate(
            "appendMessage", f"message {{ {SELECTED} }}", key, sessionId=self.session, message=message
        )
        self._record(payload["message"], text)

    async def _edit(self) -> None:
        complete = [id for id, status in self.acknowledged.statuses.items() if status == "COMPLETE"]
        if not complete:
            return
        text = self._next("corrects")
        changed = self.client.random.choice(complete[-20:])
        payload = await self.client.mutate("updateMessage", f"message {{ {SELECTED} }}", text, id=changed, text=text)
        self._record(payload["message"], text)

    async def _rename(self) -> None:
        title = self._next("renames")
        payload = await self.client.mutate("updateSession", "session { revision }", title, id=self.session, title=title)
        self.acknowledged.title, revision = title, payload["session"]["revision"]
        self.acknowledged.session = Version(0, revision, 0)

    async def _stream(self) -> None:
        """An answer in chunks, finished or cancelled. Now and then the producer starts again, with the same key."""
        name, text, random = self._next("streams"), "", self.client.random
        started = await self._start(name)
        for chunk in [f"{name}:", *random.choices(CHUNKS, k=random.randint(2, 12))]:
            if random.random() < RESTART_PROBABILITY:
                started = await self._start(name)
            message = {"id": started["message"]["id"], "fence": started["fence"]}
            await self.client.mutate("extendMessage", "cursor", **message, offset=len(text), text=chunk)
            text += chunk
            self._record_version(started["message"], text)
            await self.client.pause(*PAUSE_SECONDS)
        if random.random() < CANCEL_PROBABILITY:
            mutation, message = "cancelMessage", {"id": started["message"]["id"]}
        else:
            mutation, message = "finishMessage", {"id": started["message"]["id"], "fence": started["fence"]}
        payload = await self.client.mutate(mutation, f"message {{ {SELECTED} status }}", f"{name} ends", **message)
        self._record(payload["message"], text, payload["message"]["status"])

    async def _start(self, name: str) -> Any:
        return await self.client.mutate(
            "startMessage", f"message {{ {SELECTED} }} fence", sessionId=self.session, role="ASSISTANT", key=name
        )
