"""A server in Python that answers every chat with a recorded stream. Arguments: its port, the address of Colloquy."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from colloquy import AsyncClient
from colloquy.ai_sdk import HEADERS, persist
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

RECORDED = Path(__file__).parents[4] / "tests/documents/streams/ai_sdk_7.json"
STREAM = json.loads(RECORDED.read_text())["streams"][0]["parts"]


async def model(is_endless: bool) -> AsyncIterator[dict[str, Any]]:
    for chunk in STREAM:
        yield chunk
        await asyncio.sleep(0.1)
    if is_endless:
        await asyncio.Event().wait()


async def chat(request: Request) -> StreamingResponse:
    client = AsyncClient(sys.argv[2], request.headers["authorization"].removeprefix("Bearer "))
    body = await request.json()
    answer = await persist(client, body["id"], model(body["isEndless"]))
    return StreamingResponse(answer.stream, headers=HEADERS)


uvicorn.run(Starlette(routes=[Route("/api/chat", chat, methods=["POST"])]), port=int(sys.argv[1]), log_level="warning")
