"""Writers: each keeps a conversation going and remembers what was acknowledged."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.owner import Owner

PAUSE_SECONDS = 0.01, 0.08
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass
class Acknowledged:
    """What one writer was told is stored: texts by message id, and the last title if it gives titles."""

    texts: dict[str, str] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    title: str | None = None
    acts: int = 0


class Writer:
    """One of several in a session. Whatever is not acknowledged it does again, under the same key."""

    def __init__(self, owner: Owner, session: str, name: str, *, renames: bool) -> None:
        self.owner, self.session, self.name, self.renames = owner, session, name, renames
        self.told = Acknowledged()
        self.stopping = False
        self._numbers: Counter[str] = Counter()

    async def writes(self) -> None:
        """Acts until told to stop; the last act is acknowledged too."""
        while not self.stopping:
            await self._act()
            self.told.acts += 1
            await self.owner.pauses(*PAUSE_SECONDS)

    async def _act(self) -> None:
        acts = [self._append, self._append, self._append, self._edit, self._stream]
        await self.owner.random.choice([*acts, self._rename] if self.renames else acts)()

    def _next(self, what: str) -> str:
        """A name that nothing else has."""
        self._numbers[what] += 1
        return f"{self.name} {what} {self._numbers[what]}"

    def _learn(self, message: dict[str, Any], text: str, status: str = "COMPLETE") -> None:
        self.told.texts[message["id"]] = text
        self.told.sequences[message["id"]] = message["sequence"]
        self.told.statuses[message["id"]] = status

    async def _append(self) -> None:
        """With a key of the request, with one of the message, or with both: each alone makes it happen once."""
        text = self._next("says")
        key, message_key = self.owner.random.choice([(text, None), (None, text), (text, text)])
        message = {"role": "USER", "text": text, "key": message_key}
        payload = await self.owner.does(
            "appendMessage", "message { id sequence }", key, sessionId=self.session, message=message
        )
        self._learn(payload["message"], text)

    async def _edit(self) -> None:
        complete = [id for id, status in self.told.statuses.items() if status == "COMPLETE"]
        if not complete:
            return
        text = self._next("corrects")
        changed = self.owner.random.choice(complete[-20:])
        payload = await self.owner.does("updateMessage", "message { id sequence }", text, id=changed, text=text)
        self._learn(payload["message"], text)

    async def _rename(self) -> None:
        title = self._next("renames")
        await self.owner.does("updateSession", "session { id }", title, id=self.session, title=title)
        self.told.title = title

    async def _stream(self) -> None:
        """An answer in pieces; a producer that was cut off comes back with its key and goes on."""
