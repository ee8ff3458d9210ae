"""A server for chats of AI SDK: an agent of pydantic-ai answers, and Colloquy keeps the conversation."""

import json
import os
from contextvars import ContextVar
from typing import Annotated, Any

from agent import agent
from colloquy import AsyncClient, ColloquyError
from colloquy.ai_sdk import HEADERS, load_ui_messages, persist
from fastapi import Body, Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from pydantic_ai.ui.vercel_ai.request_types import SubmitMessage

STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "NOT_FOUND": 404, "CONFLICT": 409, "VALIDATION": 422}

# The token of the user who sends the request. Colloquy verifies it, and answers NOT_FOUND for another user's session.
token: ContextVar[str] = ContextVar("token")
client = AsyncClient(os.environ["COLLOQUY_URL"], token.get)


async def authorize(authorization: Annotated[str, Header()]) -> None:
    token.set(authorization.removeprefix("Bearer "))


app = FastAPI(dependencies=[Depends(authorize)])


@app.exception_handler(ColloquyError)
async def refuse(_request: Request, error: ColloquyError) -> JSONResponse:
    return JSONResponse({"code": error.code, "message": error.message}, STATUS.get(error.code, 503))


@app.post("/api/chat")
async def chat(
    id: Annotated[str, Body()], messages: Annotated[list[dict[str, Any]] | None, Body()] = None
) -> StreamingResponse:
    """Answers the newest message of a session; the id of a chat is that of its session."""
    if messages:  # ColloquyChatTransport has stored the question, and sends none
        await client.append_message(id, "USER", raw=json.dumps(messages[-1]), key=messages[-1]["id"])
    history = [readable(message) for message in await load_ui_messages(client, id)]
    run = VercelAIAdapter(agent, SubmitMessage(id=id, messages=history), sdk_version=7)
    answer = await persist(client, id, run.encode_stream(run.run_stream()))
    return StreamingResponse(answer.stream, headers=HEADERS)


def readable(message: dict[str, Any]) -> dict[str, Any]:
    """The message without calls whose input a stop has cut off: a model cannot read them."""
    return message | {"parts": [part for part in message["parts"] if part.get("state") != "input-streaming"]}
