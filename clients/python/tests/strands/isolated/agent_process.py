"""A process with a real agent and a scripted model: `agent_process.py OWNER start|resume`."""

import json
import sys
import time

from repositories import repository
from strands import Agent, ToolContext, tool
from strands.models import Model
from strands.session.repository_session_manager import RepositorySessionManager

ENDLESS = object()


class ScriptedModel(Model):
    """Answers with one item of the script after the other: text, the input of a tool call, or ENDLESS."""

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
        item = next(self.script)
        yield {"messageStart": {"role": "assistant"}}
        if item is ENDLESS:
            yield {"contentBlockDelta": {"delta": {"text": "It"}}}
            print("answering", flush=True)
            time.sleep(600)
        if isinstance(item, dict):
            yield {"contentBlockStart": {"start": {"toolUse": {"name": "remember", "toolUseId": "use-1"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(item)}}}}
        else:
            yield {"contentBlockDelta": {"delta": {"text": item}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if isinstance(item, dict) else "end_turn"}}


@tool(context=True)
def remember(number: int, tool_context: ToolContext) -> str:
    """Stores a number in the state of the agent."""
    tool_context.agent.state.set("number", number)
    return f"{number} is stored"


def agent(owner: str, *script) -> Agent:
    manager = RepositorySessionManager("demo", repository(owner))
    model = ScriptedModel(*script)
    return Agent(agent_id="guide", model=model, tools=[remember], session_manager=manager, callback_handler=None)


def start(owner: str) -> None:
    guide = agent(owner, {"number": 7}, "It is stored.", ENDLESS)
    guide("Remember seven.")
    print("stored", flush=True)
    guide("And what is it?")


def resume(owner: str) -> None:
    guide = agent(owner, "Seven.")
    result = {"messages": list(guide.messages), "state": guide.state.get()}
    result["answer"] = str(guide("Once more: what is it?"))
    print(json.dumps(result | {"count": len(guide.messages)}))


if __name__ == "__main__":
    {"start": start, "resume": resume}[sys.argv[2]](sys.argv[1])
