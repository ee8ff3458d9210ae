"""The Strands examples of docs/strands.md and of the README print what the pages say."""

import re
from pathlib import Path

import pytest
from agent_process import ScriptedModel
from repositories import URL, token

ROOT = Path(__file__).resolve().parents[5]
PAGES = [ROOT / "docs/strands.md", ROOT / "clients/python/README.md"]
EXAMPLE = re.compile(r"```python\n((?:(?!```).)*colloquy\.strands(?:(?!```).)*)```.*?```text\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_print_what_the_page_shows(monkeypatch, capsys, owner, page):
    examples = EXAMPLE.findall(page.read_text())
    assert examples
    monkeypatch.setenv("COLLOQUY_URL", URL)
    monkeypatch.setenv("COLLOQUY_TOKEN", token(owner))
    for program, printed in examples:
        exec(compile(program, str(page), "exec"), {"MODEL": ScriptedModel("At nine.")})
        assert capsys.readouterr().out == printed
