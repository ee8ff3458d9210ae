"""One answer in parts, as AI SDK streams it, and a producer that writes it part by part."""

import json

from tests.support.users import User

THOUGHT = ["The timetable ", "decides ", "this."]
INPUT = ['{"from": ', '"Lisbon", ', '"seats": 2}']
TEXT = ["The train 🚂 leaves ", "from platform 4, ", "so bring a ticket."]
ADDRESS = "https://trains.example/lisbon"
STORY = [
    {"type": "start"},
    {"type": "reasoning-start", "id": "r"},
    *[{"type": "reasoning-delta", "id": "r", "delta": delta} for delta in THOUGHT],
    {"type": "reasoning-end", "id": "r"},
    {"type": "tool-input-start", "toolCallId": "c", "toolName": "timetable"},
    *[{"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": delta} for delta in INPUT],
    {"type": "tool-input-available", "toolCallId": "c", "toolName": "timetable", "input": json.loads("".join(INPUT))},
    {"type": "tool-output-available", "toolCallId": "c", "output": "09:00"},
    {"type": "source-url", "sourceId": "s", "url": ADDRESS, "title": "Departures"},
    {"type": "text-start", "id": "t"},
    *[{"type": "text-delta", "id": "t", "delta": delta} for delta in TEXT],
    {"type": "text-end", "id": "t"},
    {"type": "data-chart", "data": {"celsius": [21]}},
    {"type": "finish"},
]
BLOCKS = [
    {"__typename": "ReasoningBlock", "text": "".join(THOUGHT)},
    {"__typename": "ToolUseBlock", "name": "timetable", "input": {"from": "Lisbon", "seats": 2}},
    {"__typename": "ToolResultBlock", "content": "09:00"},
    {"__typename": "SourceBlock", "url": ADDRESS},
    {"__typename": "TextBlock", "text": "".join(TEXT)},
    {"__typename": "DataBlock", "data": {"celsius": [21]}},
]
SELECTION = """messages(last: 100) { nodes { status content { __typename ... on ReasoningBlock { text } ... on TextBlock { text }
    ... on ToolUseBlock { name input } ... on ToolResultBlock { content } ... on SourceBlock { url }
    ... on DataBlock { data } } } }"""
KINDS = {"reasoning-delta": "thought", "tool-input-delta": "tool", "text-delta": "text"}


class PartsWriter:
    """A producer of one answer."""

    def __init__(self, owner: User, id: str, fence: str) -> None:
        self.owner, self.id, self.fence, self.written = owner, id, fence, 0

    @classmethod
    async def starts(cls, owner: User, session: str) -> "PartsWriter":
        kind = {"stream": "PARTS", "partsFormat": "AI_SDK", "agentKey": "guide"}
        started = await owner.does("startMessage", "fence message { id }", sessionId=session, **kind)
        return cls(owner, started["message"]["id"], started["fence"])

    async def adds(self, count: int = 1) -> None:
        """Adds the next parts of the story."""
        parts = STORY[self.written : self.written + count]
        added = await self.owner.does("extendMessage", id=self.id, fence=self.fence, offset=self.written, parts=parts)
        assert added["errors"] == []
        self.written += count

    async def begins(self, kind: str) -> None:
        """Adds everything up to the first piece of this kind."""
        await self.adds([part["type"] for part in STORY].index(kind) + 1 - self.written)

    async def ends(self) -> None:
        await self.adds(len(STORY) - self.written)
        assert (await self.owner.does("finishMessage", id=self.id, fence=self.fence))["errors"] == []
