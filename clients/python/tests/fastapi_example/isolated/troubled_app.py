"""The example with a model that becomes silent in a call, or fails when the question is "Fail"."""

import asyncio

from agent import agent
from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel

from app import app

__all__ = ["app"]


async def write(messages, _info):
    if messages[-1].parts[-1].content == "Fail":
        yield "Trains "
        raise RuntimeError("The model has failed.")
    yield {0: DeltaThinkingPart(content="The timetable ")}
    yield {1: DeltaToolCall(name="timetable", json_args='{"ci', tool_call_id="trains")}
    try:
        await asyncio.Event().wait()
    finally:
        print("The model has been cancelled.", flush=True)


agent.model = FunctionModel(stream_function=write)
