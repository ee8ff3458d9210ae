"""The examples of the README run, and print what the README shows."""

import re
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
README, SOURCE = ENGINE / "README.md", ENGINE / "src/graphql_compiled"
REASON = re.compile(r'Uncompilable\("([^"\\]+)"\)')


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    program = tmp_path / "readme.py"
    program.write_text("\n".join(blocks("python")))
    command = [sys.executable, "-W", "error", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [shown] = blocks("text")
    assert done.stdout.startswith(shown)
    assert "value_3 = source.title" in done.stdout


def test_the_readme_lists_every_reason_to_fall_back() -> None:
    reasons = {reason for path in SOURCE.glob("*.py") for reason in REASON.findall(path.read_text())}
    assert len(reasons) == 9
    assert {reason for reason in reasons if f"`{reason}`" not in README.read_text()} == set()
