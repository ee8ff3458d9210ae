"""The examples in the docs print what they say."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
EXAMPLE = re.compile(r"```python\n(.*?)```.*?prints\n\n```text\n(.*?)```", re.DOTALL)
PAGES = [(page, number) for page, count in (("client.md", 3), ("mcp.md", 1)) for number in range(count)]


@pytest.mark.parametrize(("page", "number"), PAGES)
async def test_an_example_prints_what_the_page_says(ann, page, number):
    program, printed = EXAMPLE.findall((DOCS / page).read_text())[number]
    environment = os.environ | {"COLLOQUY_URL": ann.url, "COLLOQUY_TOKEN": ann.token, "PYTHONPATH": os.getcwd()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()
    assert said.decode() == printed, complaints.decode()
