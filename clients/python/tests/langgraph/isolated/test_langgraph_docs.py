"""The LangGraph examples of docs/frameworks.md and of the README print what the pages say."""

import re
from pathlib import Path

import pytest
from own_stores import URL, token

ROOT = Path(__file__).resolve().parents[5]
PAGES = [ROOT / "docs/frameworks.md", ROOT / "clients/python/README.md"]
EXAMPLE = re.compile(r"```python\n((?:(?!```).)*colloquy\.langgraph(?:(?!```).)*)```.*?```text\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_example_prints_what_the_page_shows(monkeypatch, capsys, owner, page):
    [(program, printed)] = EXAMPLE.findall(page.read_text())
    monkeypatch.setenv("COLLOQUY_URL", URL)
    monkeypatch.setenv("COLLOQUY_TOKEN", token(owner))
    exec(compile(program, str(page), "exec"), {})
    assert capsys.readouterr().out == printed
