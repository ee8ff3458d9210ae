"""The story that every sample tells (story.json), and the files in which the samples are kept."""

import json
import typing
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

STORY = json.loads((Path(__file__).parent / "story.json").read_text())
QUESTION, THOUGHT, ANSWER, RESULT = (STORY[name] for name in ("question", "thought", "answer", "result"))
CALL, SOURCE, USAGE, IMAGE = (STORY[name] for name in ("call", "source", "usage", "image"))
ARGUMENTS = json.dumps(CALL["input"])
SAMPLES = Path("tests/documents/samples")
Entry = dict[str, Any]


def user(document: Any) -> Entry:
    return {"role": "USER", "document": document}


def assistant(document: Any) -> Entry:
    return {"role": "ASSISTANT", "document": document}


def tool(document: Any) -> Entry:
    return {"role": "TOOL", "document": document}


def story_of(documents: Sequence[Any]) -> list[Entry]:
    """The four messages of the story."""
    entries = (user, assistant, tool, assistant)
    return [entry(document) for entry, document in zip(entries, documents, strict=True)]


def write(name: str, package: str, messages: list[Entry], more: Sequence[Any] = (), kinds: Sequence[str] = ()) -> None:
    """`more`: documents with other parts of the format. `kinds`: the parts that the package's own types list."""
    sample = {"packages": {package: version(package)}, "messages": messages, "more": more, "kinds": sorted(set(kinds))}
    text = json.dumps(sample, indent=1, ensure_ascii=False)
    (SAMPLES / f"{name}.json").write_text(text + "\n")


def kinds_of(union: Any) -> list[str]:
    """The values of `type` in the members of a union of models."""
    found: list[str] = []
    for member in typing.get_args(union):
        if hasattr(member, "model_fields"):
            found += typing.get_args(member.model_fields["type"].annotation)
        else:
            found += kinds_of(member)
    return found
