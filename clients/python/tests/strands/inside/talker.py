"""A process with a real agent and a model that says what it is told: `talker.py OWNER talk|resume`."""

import json
import sys
import time

from owners import repository
from strands import Agent, ToolContext, tool
from strands.models import Model
from strands.session.repository_session_manager import RepositorySessionManager

FOREVER = object()


class Scripted(Model):
    """Says one line of the script after the other; FOREVER begins and does not end."""

    def __init__(self, *script):
        self.script = iter(script)

    def update_config(self, **config):
        pass

    def get_config(self):
        return {}

    async def structured_output(self, *arguments, **options):
        raise NotImplementedError
        yield

    async def stream(self, messages, *arguments, **options):
        said = next(self.script)
        yield {"messageStart": {"role": "assistant"}}
        if said is FOREVER:
            yield {"contentBlockDelta": {"delta": {"text": "It"}}}
            print("speaking", flush=True)
            time.sleep(600)
        if isinstance(said, dict):
            yield {"contentBlockStart": {"start": {"toolUse": {"name": "remember", "toolUseId": "use-1"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(said)}}}}
        else:
            yield {"contentBlockDelta": {"delta": {"text": said}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if isinstance(said, dict) else "end_turn"}}


@tool(context=True)
def remember(number: int, tool_context: ToolContext) -> str:
    """Remembers a number."""
    tool_context.agent.state.set("number", number)
    return f"{number} is remembered"


def agent(owner: str, *script) -> Agent:
    manager = RepositorySessionManager("demo", repository(owner))
    model = Scripted(*script)
    return Agent(agent_id="talker", model=model, tools=[remember], session_manager=manager, callback_handler=None)


def talk(owner: str) -> None:
    talker = agent(owner, {"number": 7}, "I have it.", FOREVER)
    talker("Remember seven.")
    print("remembered", flush=True)
    talker("And what is it?")


def resume(owner: str) -> None:
    talker = agent(owner, "Seven.")
    found = {"messages": list(talker.messages), "state": talker.state.get()}
    found["answer"] = str(talker("Once more: what is it?"))
    print(json.dumps(found | {"count": len(talker.messages)}))


if __name__ == "__main__":
    {"talk": talk, "resume": resume}[sys.argv[2]](sys.argv[1])
