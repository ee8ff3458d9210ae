"""A model of one owner's records: what the API promises, in Python without a database."""

from dataclasses import dataclass, field
from typing import Any

from app.record_path import path_of


@dataclass
class Stored:
    """One record, as the API returns it; `changed` counts the calls of the owner."""

    content: dict[str, Any]
    metadata: Any
    session: str | None
    revision: int
    expires: bool
    changed: int

    @property
    def text(self):
        return "\n".join(strings(self.content["value"])).lower()


@dataclass
class Model:
    """The records of one owner by path, and the owner's sessions: True while they are not deleted."""

    records: dict[str, Stored] = field(default_factory=dict)
    sessions: dict[str, bool] = field(default_factory=dict)
    unswept: set[str] = field(default_factory=set)
    """The paths whose time has passed and that the sweeper has not removed."""
    calls: int = 0

    def put(self, new):
        """The expected error: its code and the last label of its field; None if the records are stored."""
        paths = [path_of(each["namespace"], each["key"]) for each in new]
        if any(("value" in each) == ("bytes" in each) for each in new):
            return "VALIDATION", "value"
        if len(set(paths)) < len(paths):
            return "VALIDATION", "key"
        if any("sessionId" in each and not self.sessions.get(each["sessionId"]) for each in new):
            return "NOT_FOUND", "sessionId"
        revisions = [self.records[path].revision if path in self.records else 0 for path in paths]
        if any(each.get("expectedRevision", found) != found for each, found in zip(new, revisions, strict=True)):
            return "CONFLICT", "expectedRevision"
        self.calls += 1
        for path, each, revision in zip(paths, new, revisions, strict=True):
            content = {"value": each.get("value"), "bytes": each.get("bytes")}
            session, expires = each.get("sessionId"), "ttlSeconds" in each
            stored = Stored(content, each.get("metadata", {}), session, revision + 1, expires, self.calls)
            self.records[path] = stored
            self.unswept.discard(path)
        return None

    def delete(self, paths):
        """How many of them there were."""
        return sum(self.records.pop(path, None) is not None for path in paths)

    def below(self, prefix, key_from=None, key_to=None):
        """The paths below a namespace whose keys are within bounds, in their order."""
        start = "".join(label + "\x1f" for label in prefix)
        return [
            path
            for path in sorted(self.records)
            if path.startswith(start)
            and (key_from is None or key_of(path) >= key_from)
            and (key_to is None or key_of(path) <= key_to)
        ]

    def found(self, prefix, filter, order):
        """The paths that a list returns."""
        paths = [
            path
            for path in self.below(prefix, filter.get("keyFrom"), filter.get("keyTo"))
            if contains(self.records[path].metadata, filter.get("metadataContains", {}))
            and filter.get("text", "").lower() in self.records[path].text
        ]
        if order["field"] == "UPDATED_AT":
            paths.sort(key=lambda path: (self.records[path].changed, path))
        return paths[::-1] if order["direction"] == "DESC" else paths

    def namespaces(self, prefix, suffix, depth):
        """The namespaces that have records, shortened."""
        spaces = [namespace_of(path) for path in self.below(prefix)]
        ending = [space for space in spaces if space and space[len(space) - len(suffix) :] == suffix]
        distinct = {tuple(space[:depth]) for space in ending if len(space) >= len(suffix)}
        return [list(space) for space in sorted(distinct, key=lambda space: [label + "\x1f" for label in space])]

    def end_session(self, session, *, erased):
        self.sessions[session] = False
        if erased:
            del self.sessions[session]
            self.delete([path for path, each in self.records.items() if each.session == session])

    def pass_time(self, path):
        del self.records[path]
        self.unswept.add(path)


def key_of(path):
    return path.partition("\x1e")[2]


def namespace_of(path):
    return path.partition("\x1e")[0].split("\x1f")[:-1]


def strings(value):
    """All strings in a JSON value, without the keys of objects."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in inner for text in strings(item)]


def contains(value, part):
    """PostgreSQL's `@>` on jsonb, for values of objects, lists and scalars without lists in lists."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and contains(value[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(value, list) and all(any(contains(item, each) for item in value) for each in part)
    return value == part
