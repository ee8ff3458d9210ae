"""Writers: each keeps a conversation going and remembers what was acknowledged."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.owner import Owner

PAUSE_SECONDS = 0.01, 0.08
PIECES = [" tea", " with milk,", " no sugar", "\n", " 🫖", " é", " and then some more of it"]
AGAIN, CANCELLED = 0.1, 0.3


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
        """An answer in pieces, finished or cancelled. Now and then the producer starts anew, with its key."""
        name, text, random = self._next("streams"), "", self.owner.random
        made = await self._start(name)
        for piece in [f"{name}:", *random.choices(PIECES, k=random.randint(2, 12))]:
            if random.random() < AGAIN:
                made = await self._start(name)
            of = {"id": made["message"]["id"], "fence": made["fence"]}
            await self.owner.does("extendMessage", "cursor", **of, offset=len(text), text=piece)
            text += piece
            await self.owner.pauses(*PAUSE_SECONDS)
        if random.random() < CANCELLED:
            ending, given = "cancelMessage", {"id": made["message"]["id"]}
        else:
            ending, given = "finishMessage", {"id": made["message"]["id"], "fence": made["fence"]}
        payload = await self.owner.does(ending, "message { id sequence status }", f"{name} ends", **given)
        self._learn(payload["message"], text, payload["message"]["status"])

    async def _start(self, name: str) -> Any:
        return await self.owner.does(
            "startMessage", "message { id } fence", sessionId=self.session, role="ASSISTANT", key=name
        )
