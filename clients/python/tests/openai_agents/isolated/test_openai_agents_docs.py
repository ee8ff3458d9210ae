"""The example of docs/frameworks.md prints what the page says."""

import re
from pathlib import Path

from agents.testing import ScriptedModel
from openai.types.responses import ResponseOutputMessage, ResponseOutputText
from own_sessions import URL, token

PAGE = Path(__file__).resolve().parents[5] / "docs/frameworks.md"
EXAMPLE = re.compile(
    r"```python\n((?:(?!```).)*colloquy\.openai_agents(?:(?!```).)*)```.*?```text\n(.*?)```", re.DOTALL
)


def test_the_example_prints_what_the_page_shows(monkeypatch, capsys, owner):
    [(program, printed)] = EXAMPLE.findall(PAGE.read_text())
    monkeypatch.setenv("COLLOQUY_URL", URL)
    monkeypatch.setenv("COLLOQUY_TOKEN", token(owner))
    text = ResponseOutputText(text="At nine.", type="output_text", annotations=[], logprobs=[])
    answer = ResponseOutputMessage(id="1", type="message", role="assistant", content=[text], status="completed")
    exec(compile(program, str(PAGE), "exec"), {"MODEL": ScriptedModel([[answer]])})
    assert capsys.readouterr().out == printed
