"""Three example conversations for an empty database, written through the public API."""

from typing import Any

import httpx2
import orjson

Unreachable = httpx2.HTTPError

CREATE_AGENT = """
mutation ($input: CreateAgentInput!) { createAgent(input: $input) { agent { id } errors { message } } }
"""
CREATE_SESSION = """
mutation ($input: CreateSessionInput!) { createSession(input: $input) { session { id } errors { message } } }
"""
PUT_AGENT = """
mutation ($input: PutSessionAgentInput!) { putSessionAgent(input: $input) { sessionAgent { id } errors { message } } }
"""
APPEND = """
mutation ($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } errors { message } } }
"""

AGENTS: list[dict[str, Any]] = [
    {
        "key": "guide",
        "name": "Guide",
        "type": "assistant",
        "description": "Shows newcomers around.",
        "skills": ["graphql", "patience"],
    },
    {
        "key": "planner",
        "name": "Trip planner",
        "type": "planner",
        "description": "Finds trains, rooms and a table by the window.",
        "skills": ["travel", "calendar"],
        "hourlyRate": "12.50",
    },
    {
        "key": "reviewer",
        "name": "Code reviewer",
        "type": "engineer",
        "description": "Reads diffs, asks the awkward question.",
        "skills": ["python", "sql"],
        "hourlyRate": "40.00",
    },
]
# A tool call and its result in the format of an agent framework.
WEATHER_CALL = {
    "role": "assistant",
    "content": [
        {"text": "Let me look at the weather and the festivals first."},
        {"toolUse": {"toolUseId": "call-1", "name": "forecast", "input": {"city": "Lisbon", "month": "May"}}},
    ],
}
WEATHER_RESULT = {
    "role": "user",
    "content": [
        {
            "toolResult": {
                "toolUseId": "call-1",
                "status": "success",
                "content": [{"text": "May 8 to 10: 23 °C, no rain. Book fair in the Parque Eduardo VII."}],
            }
        }
    ],
}
CONVERSATIONS: list[dict[str, Any]] = [
    {
        "session": {"key": "billing", "title": "Why was the invoice wrong?", "agentType": "engineer"},
        "agent": "reviewer",
        "messages": [
            ("USER", "Customer 4711 was billed twice in March. Can you find out why?"),
            (
                "ASSISTANT",
                "Both invoices carry the same order. The job ran twice, and nothing held the second run back.",
            ),
            ("USER", "How do we make sure that it never happens again?"),
            (
                "ASSISTANT",
                "Give each run an idempotency key and keep it in the same transaction as the invoice. "
                "Then the second run finds the key and answers with the first result.",
            ),
        ],
    },
    {
        "session": {"key": "lisbon", "title": "A long weekend in Lisbon", "agentType": "planner"},
        "agent": "planner",
        "messages": [
            ("SYSTEM", "You plan trips. Prefer trains, and never book without asking."),
            ("USER", "Three days in Lisbon in May, two of us. What would you do?"),
            ("ASSISTANT", WEATHER_CALL),
            ("TOOL", WEATHER_RESULT),
            (
                "ASSISTANT",
                "Come from the 8th to the 10th: it is warm, and the book fair has begun. "
                "Stay in Graça, walk down through Alfama, and keep Sunday for Sintra.",
            ),
            ("USER", "Lovely. Find us a table for Saturday evening."),
            ("ASSISTANT", "There is one by the window at eight, in a small place in Mouraria. Shall I take it?"),
        ],
    },
    {
        "session": {"key": "welcome", "title": "Welcome to Colloquy", "agentType": "assistant"},
        "agent": "guide",
        "messages": [
            ("USER", "What is this place?"),
            (
                "ASSISTANT",
                "Colloquy keeps conversations: sessions, the agents that take part, and every message in its order. "
                "What you see here was written through the same API that you use.",
            ),
            ("USER", "And if my connection breaks in the middle of an answer?"),
            (
                "ASSISTANT",
                "Take the cursor of the last event you saw and subscribe again from there. "
                "You get everything that happened since, each thing once, in order.",
            ),
            ("USER", "What should I try first?"),
            (
                "ASSISTANT",
                "Open this page in a second window beside this one, and write a message: it arrives in both. "
                "GraphiQL's Subscribe tab shows the events that carry it.",
            ),
        ],
    },
]


async def fill(address: str, token: str) -> None:
    """Write the conversations to the server at `address` with `token`. Raises RuntimeError when one is refused."""
    async with httpx2.AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"}) as http:
        agents = {agent["key"]: (await _mutate(http, CREATE_AGENT, agent))["agent"]["id"] for agent in AGENTS}
        for conversation in CONVERSATIONS:
            session = (await _mutate(http, CREATE_SESSION, conversation["session"]))["session"]["id"]
            key = conversation["agent"]
            await _mutate(http, PUT_AGENT, {"sessionId": session, "key": key, "agentId": agents[key]})
            messages = [_message(role, said, key) for role, said in conversation["messages"]]
            await _mutate(http, APPEND, {"sessionId": session, "messages": messages})


def _message(role: str, said: str | dict[str, Any], agent: str) -> dict[str, Any]:
    """The input of one message: a text, or the document of a framework."""
    content = {"text": said} if isinstance(said, str) else {"raw": orjson.dumps(said).decode()}
    return {"role": role, **content, **({"agentKey": agent} if role == "ASSISTANT" else {})}


async def _mutate(http: httpx2.AsyncClient, mutation: str, input: dict[str, Any]) -> Any:
    """The payload of a mutation that must succeed."""
    answer = (await http.post("/graphql", json={"query": mutation, "variables": {"input": input}})).json()
    if "errors" in answer:
        raise RuntimeError(f"The demo was refused: {answer['errors'][0]['message']}")
    [payload] = answer["data"].values()
    if payload["errors"]:
        raise RuntimeError(f"The demo was refused: {payload['errors'][0]['message']}")
    return payload
