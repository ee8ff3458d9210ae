"""docs/security.md lists every event that the server writes to its log."""

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
EVENT = re.compile(r"\blog\.\w+\(\s*\"([\w.]+)\"")
SECTION = re.compile(r"^## What is logged$(.*?)^## ", re.S | re.M)


def test_every_event_of_the_log_is_on_the_security_page():
    written = {event for path in (ROOT / "app").rglob("*.py") for event in EVENT.findall(path.read_text())}
    [section] = SECTION.findall((ROOT / "docs/security.md").read_text())
    patterns = [
        pattern for row in re.findall(r"^\| (`.*?) \|", section, re.M) for pattern in re.findall(r"`(\S+)`", row)
    ]
    assert {"request", "token_refused", "sweep.failed"} <= written
    assert [event for event in sorted(written) if not any(fnmatch(event, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(fnmatch(event, pattern) for event in written)] == []
