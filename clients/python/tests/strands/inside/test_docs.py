"""The example in docs/strands.md prints what it says."""

import re
from pathlib import Path

from owners import URL, token
from talker import Scripted

PAGE = Path(__file__).resolve().parents[5] / "docs/strands.md"


def test_the_example_prints_what_the_page_says(monkeypatch, capsys, owner):
    program, printed = re.search(r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE.read_text(), re.DOTALL).groups()
    monkeypatch.setenv("COLLOQUY_URL", URL)
    monkeypatch.setenv("COLLOQUY_TOKEN", token(owner))
    exec(compile(program, str(PAGE), "exec"), {"MODEL": Scripted("At nine.")})
    assert capsys.readouterr().out == printed
