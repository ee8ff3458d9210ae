"""The samples that `scripts/format_samples` has written: a story in each format, and documents with further parts."""

import json
from pathlib import Path
from typing import Any

STORY = json.loads(Path("scripts/format_samples/story.json").read_text())
SAMPLES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "samples").glob("*.json"))
}


def documents(sample: dict[str, Any]) -> list[Any]:
    """All documents of a sample."""
    return [message["document"] for message in sample["messages"]] + sample["more"]
