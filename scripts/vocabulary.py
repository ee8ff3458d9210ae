"""Finds retired words: exit 1 with `file:line: word: what to write instead`.

The glossary of ARCHITECTURE.md gives each thing one name, the field's own. The tables below hold the words that may
not come back. NAMES applies to every name that Python code defines (`class`, `def`, `argument`, `name`, `module`),
split into lower-case words: `MoreThanTold` is `class more than told`. PROSE applies to sentences: comments, docstrings,
other texts in the code, Markdown outside of code, descriptions in GraphQL. A pattern matches no word that good English
needs: "tell apart" passes, "the server tells" does not.

Usage: scripts/vocabulary.py [FILE ...]; without files, every tracked one.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

NAMES = {
    r"\bears?\b": "listener",
    r"\b(hear|hears|heard)\b": "notify, on_batch, receive",
    r"\b(tell|tells|told)\b": "deliver, delivered, send",
    r"\btelling\b": "OperationTask",
    r"\bsays?\b": "send, return, name",
    r"\btwins?\b": "duplicate",
    r"\banew\b": "custom_plan, again",
    r"\b(patience|patiently)\b": "acquire_timeout, until it succeeds",
    r"\bnasty\b": "adversarial",
    r"\bspoken\b": "content_columns, text",
    r"\bsuffices?\b": "columns_for",
    r"\bbells?\b": "Event",
    r"\bgates?\b": "session_queue",
    r"\bwho(m|so)?ever\b": "the thing that it is: client, caller, reader",
    r"\blook around\b": "capture_event_cursor",
    r"\blook(s|ed)? closely\b": "append_under_lock",
    r"^(module|class|def|argument|name) at once$": "run_until_blocked",
    r"^\w+ most\b": "maximum, MAX_PAGE_SIZE, MAX_BATCH",
    r"^\w+ unfinished$": "Suspended",
    r"^(module|class|def|argument) moved?$": "Change, record_change",
    r"^(module|class|def) printed$": "generated, check_generated",
    r"^(module|class|def) house$": "structure, check_structure",
    r"^(module|class|def) persons?$|^module people$": "User, users.py",
    r"^(module|class) world$": "sample_data.py",
    r"^module walk$": "schema_walk.py",
    r"^module dropin$": "graphql_core_executor.py",
    r"^module eager$": "run_until_blocked",
    r"^module given$": "validation.py",
    r"^module infos$": "resolve_info.py",
    r"^module leaves$": "scalars.py",
    r"^module selected$": "selection.py",
    r"^(module|class|def) settled?$": "null_propagation.py, complete",
    r"^class line$": "Connection",
    r"^class stream$": "Subscription, StreamingMessage or EventStream",
    r"^class run$": "the operation that it runs",
}
NAMES_OUTSIDE_TESTS = {  # a test may use these as the common English that they are
    r"\bplaces?\b": "position, MessageKey, index, directory",
    r"^\w+ alone$": "for_one",
    r"^\w+ asked$": "request",
    r"^\w+ once$": "IdempotencyKey, idempotency_key",
    r"^def plain$": "to_python",
    r"^\w+ there$": "existing",
    r"^\w+ wanted$": "statement, expected",
    r"^(module|class|def|argument) light$": "partial",
    r"^(module|class|def|argument) named$": "parameters",
    r"^(module|class|def|argument) sent$": "provided_fields",
}
PROGRAM = (
    r"\b(?:answer|bus|caller|channel|client|code|connection|cursor|database|document|engine|error|event|field|function|"
    r"group|it|key|listener|loader|log|method|model|module|mutation|operation|PostgreSQL|process|producer|program|"
    r"query|reader|Redis|replica|resolver|response|row|schema|server|session|setting|socket|statement|stream|"
    r"subscriber|subscription|sweeper|table|test|token|transaction|type|wake-up|writer)s?"
    r"(?: also| always| itself| never| only| still| then)? "
)
PROSE = {
    PROGRAM + r"(tell|tells|told)\b(?! apart)": "the program sends, returns, delivers",
    PROGRAM + r"(say|says|said|speaks?|spoke)\b": "the program states, names, means, returns",
    PROGRAM + r"(know|knows|knew)\b(?! how to)": "the program has, stores, recognises",
    r"\b(is|are|was|were|be|been|being|has|have|had|never) told\b(?! apart)": "receives, has received",
    r"\b(hear|hears|heard)\b": "receives",
    r"\bears?\b": "listener",
    r"\btwins?\b": "duplicate",
    r"\banew\b": "again",
    r"\bnasty\b": "adversarial",
    r"\bpatience\b": "timeout",
    r"\bspoken\b": "sent, written",
    r"\bwho(m|so)?ever\b": "the client, the caller, the reader that",
    r"\b(those|all|everybody|anybody) who\b": "readers that, clients that",
    r"\bfrom when on\b": "when",
    r"\bfor good\b": "permanently",
    r"\blight rows?\b": "partial rows",
    r"\bwhole rows?\b": "full rows",
    r"\blook(s|ed|ing)? (anew|around|closely)\b": "reads again, checks under the lock",
    r"\bthe way to one client\b": "the outgoing side of one connection",
}
OWN = {"scripts/vocabulary.py", "tests/project/test_vocabulary.py"}
GENERATED = ("app/web/", "requirements/", "bench/results/")
CODE_IN_MARKDOWN = re.compile(r"^( *)(```|~~~).*?^\1\2|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->", re.M | re.S)
CODE_IN_TEXT = re.compile(r"``?[^`]*``?")
DESCRIPTION = re.compile(r'"""(.*?)"""|"([^"\n]*)"', re.S)
Found = Iterator[tuple[int, str, str]]


def matches(rules: dict[str, str], text: str, line: int = 1) -> Found:
    """Line, word and replacement of every rule that `text` breaks; `text` begins at `line`."""
    for pattern, instead in rules.items():
        for found in re.finditer(pattern.replace(" ", r"\s+"), text, re.I):  # a sentence goes on in the next line
            yield line + text.count("\n", 0, found.start()), " ".join(found[0].split()), instead


def blanked(pattern: re.Pattern[str], text: str) -> str:
    """`text` with what `pattern` matches removed, line breaks kept."""
    return pattern.sub(lambda found: "`" + "\n" * found[0].count("\n"), text)


def words(name: str) -> str:
    """`OnceRow`, `_once_row` and `ONCE_ROW` as `once row`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_+", " ", name).strip().lower()


def definitions(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Line, kind and name of everything that a module defines."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name):
                yield node.lineno, "class", name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, "def", name
            case ast.arg(arg=name):
                yield node.lineno, "argument", name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, "name", name
            case ast.alias(asname=str(name)):
                yield node.lineno, "name", name


def in_python(path: Path, text: str) -> Found:
    """Names, comments and texts; a text without a space is a value, not a sentence."""
    tree = ast.parse(text, str(path))
    rules = NAMES if "tests" in path.parts else NAMES | NAMES_OUTSIDE_TESTS
    for line, kind, name in [(1, "module", path.stem), *definitions(tree)]:
        for _, word, instead in matches(rules, f"{kind} {words(name)}"):
            yield line, f"{word.removeprefix(kind).strip()} in {name}", instead
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from matches(PROSE, blanked(CODE_IN_TEXT, node.value), node.lineno)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from matches(PROSE, blanked(CODE_IN_TEXT, token.string), token.start[0])


def in_markdown(_path: Path, text: str) -> Found:
    """Sentences outside of code."""
    return matches(PROSE, blanked(CODE_IN_MARKDOWN, text))


def in_graphql(_path: Path, text: str) -> Found:
    """Descriptions."""
    for found in DESCRIPTION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield from matches(PROSE, blanked(CODE_IN_TEXT, found[1] or found[2] or ""), line)


CHECKS = {".py": in_python, ".md": in_markdown, ".graphql": in_graphql}


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name not in OWN and not name.startswith(GENERATED)]


def main(names: list[str]) -> int:
    paths = [path for path in map(Path, names or tracked()) if path.suffix in CHECKS and path.is_file()]
    hits = sorted({(str(path), *hit) for path in paths for hit in CHECKS[path.suffix](path, path.read_text())})
    for path, line, word, instead in hits:
        print(f"{path}:{line}: {word}: write {instead}")
    print(f"{len(paths)} files, {len(hits)} retired words")
    return bool(hits)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
