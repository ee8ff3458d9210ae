"""The example of docs/frameworks.md prints what the page says."""

import re
from pathlib import Path

from data_layers import URL, token

PAGE = Path(__file__).resolve().parents[5] / "docs/frameworks.md"
EXAMPLE = re.compile(r"```python\n((?:(?!```).)*colloquy\.chainlit(?:(?!```).)*)```.*?```text\n(.*?)```", re.DOTALL)


def test_the_example_prints_what_the_page_shows(monkeypatch, capsys, owner):
    [(program, printed)] = EXAMPLE.findall(PAGE.read_text())
    monkeypatch.setenv("COLLOQUY_URL", URL)
    monkeypatch.setenv("COLLOQUY_TOKEN", token(owner))
    exec(compile(program, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == printed
