"""An agent of pydantic-ai whose model has a script, so that it needs neither a key nor a network."""

import asyncio
from collections.abc import AsyncIterator

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import (
    AgentInfo,
    DeltaThinkingCalls,
    DeltaThinkingPart,
    DeltaToolCall,
    DeltaToolCalls,
    FunctionModel,
)

Delta = str | DeltaThinkingCalls | DeltaToolCalls

THOUGHT = [{0: DeltaThinkingPart(content=word)} for word in ("The timetable ", "of Lisbon ", "has it.")]
CALL = [
    {1: DeltaToolCall(name="timetable", json_args='{"ci', tool_call_id="trains")},
    {1: DeltaToolCall(json_args='ty": "Lis')},
    {1: DeltaToolCall(json_args='bon"}')},
]
ANSWER = ["Trains ", "leave ", "at nine ", "and ", "at ten."]


async def write(messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[Delta]:
    """Thinks and calls the tool; with its result the model answers."""
    has_result = isinstance(messages[-1].parts[-1], ToolReturnPart)
    for delta in ANSWER if has_result else [*THOUGHT, *CALL]:
        await asyncio.sleep(0.05)
        yield delta


agent = Agent(FunctionModel(stream_function=write))  # put in a real one later, such as "openai:gpt-5"


@agent.tool_plain
def timetable(city: str) -> list[str]:
    """The trains from a city."""
    return ["09:00", "10:00"]
