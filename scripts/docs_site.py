"""Lays out the documentation site in DIRECTORY, for the generator: `docs_site.py DIRECTORY`.

The pages are those of docs/, the sections of README.md and a few files outside docs/. A link to a file that is a page
becomes a link to that page; a link to any other file of the repository leads to the repository. Exits with 1 and a line
for each link without a target, and for each page that is missing or in no menu.
"""

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

DOCS, README = Path("docs"), Path("README.md")
CONFIG = DOCS / "site.toml"
SECTIONS = {  # the page of each section of README.md; "" is the text before the first heading
    "": "index.md",
    "Start it": "index.md",
    "Five minutes with curl": "tutorial.md",
    "Point a sidebar at it": "sidebar.md",
    "Errors": "errors.md",
    "Settings": "settings.md",
    "Read on": None,
}
OUTSIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "engine/README.md": "graphql-compiled.md",
    "clients/python/README.md": "client-package.md",
    "clients/typescript/client/README.md": "typescript-client.md",
    "clients/typescript/langgraph/README.md": "langgraph-js.md",
    "clients/typescript/react/README.md": "react-hooks.md",
    "clients/typescript/ai-sdk/README.md": "ai-sdk.md",
    "clients/typescript/assistant-ui/README.md": "assistant-ui.md",
    "clients/typescript/ag-ui/README.md": "ag-ui.md",
    "SECURITY.md": "security-policy.md",
    "deploy/README.md": "deploying.md",
    "deploy/cloudrun/README.md": "cloud-run.md",
    "examples/sidebar/README.md": "example-sidebar.md",
    "examples/ai-sdk/README.md": "example-ai-sdk.md",
    "examples/fastapi/README.md": "example-fastapi.md",
}
STANDS_FOR = {  # links to these lead to a page
    "schema.graphql": "schema/index.md",
    "docs/decisions": "decisions/index.md",
    "examples/sidebar": "example-sidebar.md",
    "examples/ai-sdk": "example-ai-sdk.md",
    "examples/fastapi": "example-fastapi.md",
    "deploy": "deploying.md",
    "deploy/cloudrun": "cloud-run.md",
}
PICTURES = {".png", ".svg"}
FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))|(?<=\]: )\S+$")
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")


def prose(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it stands outside of code."""
    code = False
    for line in text.splitlines(keepends=True):
        fence = bool(FENCE.match(line))
        yield line, not code and not fence
        code ^= fence


def anchor(heading: str) -> str:
    """The id of a heading, as the repository's host and the site's `slugify` make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def title(text: str) -> str:
    return next((line[2:].strip() for line, is_prose in prose(text) if is_prose and line.startswith("# ")), "")


def sections(text: str) -> dict[str, str]:
    """The sections of the README by heading."""
    found, heading = {"": ""}, ""
    for line, is_prose in prose(text):
        if is_prose and line.startswith("## "):
            heading = line[3:].strip()
            found[heading] = ""
        found[heading] += line
    return found


def one_level_up(text: str) -> str:
    """A section as a page: its headings one level up."""
    return "".join(line[1:] if is_prose and line.startswith("##") else line for line, is_prose in prose(text))


class Site:
    """The pages by their path in the site, each with the file that it comes from."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.pages: dict[str, tuple[str, str]] = {}
        self.page_of = dict(STANDS_FOR)  # by file of the repository
        self.page_of_section: dict[str, str] = {}  # by anchor of the README
        self.pictures: set[str] = set()
        self.config: dict[str, Any] = tomllib.loads(CONFIG.read_text())
        self.repository: str = self.config["project"]["extra"]["social"][0]["link"]

    def collect(self) -> None:
        for path in sorted(DOCS.rglob("*.md")):
            self._add(path.relative_to(DOCS).as_posix(), path.as_posix())
        for source, page in OUTSIDE.items():
            self._add(page, source)
        self._add_readme()
        self._add_decisions()

    def _add(self, page: str, source: str) -> None:
        self.pages[page] = source, Path(source).read_text()
        self.page_of[source] = page

    def _add_readme(self) -> None:
        self.page_of[README.name] = "index.md"
        found = sections(README.read_text())
        for heading in found.keys() ^ SECTIONS.keys():
            self.problems.append(f"README.md and SECTIONS of scripts/docs_site.py differ in the section {heading!r}")
        for heading, text in found.items():
            if page := SECTIONS.get(heading):
                _, before = self.pages.get(page, ("", ""))
                self.pages[page] = README.name, before + (text if page == "index.md" else one_level_up(text))
                headings = (line.lstrip("#") for line, is_prose in prose(text) if is_prose and line.startswith("#"))
                self.page_of_section.update(dict.fromkeys(map(anchor, headings), page))

    def _add_decisions(self) -> None:
        lines = ["# Decisions\n\nWhat was hard to decide, and what was refused.\n\n"]
        for page, (_, text) in self.pages.items():
            if page.startswith("decisions/"):
                name = page.removeprefix("decisions/")
                lines.append(f"- {name[:4]}: [{title(text)}]({name})\n")
        self.pages["decisions/index.md"] = "docs/decisions/index.md", "".join(lines)

    def text(self, page: str) -> str:
        """A page with the links that it has in the site."""
        source, text = self.pages[page]

        def target(found: re.Match[str]) -> str:
            return self._target(page, source, found[0])

        return "".join(LINK.sub(target, line) if is_prose else line for line, is_prose in prose(text))

    def _target(self, page: str, source: str, link: str) -> str:
        if EXTERNAL.match(link) or (link.startswith("#") and source != README.name):
            return link
        path, sharp, fragment = link.partition("#")
        path = normpath(Path(source).parent / path) if path else source
        if path == README.name and fragment in self.page_of_section:
            return relpath(self.page_of_section[fragment], Path(page).parent) + sharp + fragment
        if path in self.page_of:
            return relpath(self.page_of[path], Path(page).parent) + sharp + fragment
        if not Path(path).exists():
            self.problems.append(f"{source}: {link} leads to no file")
        elif Path(path).suffix in PICTURES:
            self.pictures.add(path)
            return relpath(f"pictures/{path}", Path(page).parent)
        return f"{self.repository}/{'tree' if Path(path).is_dir() else 'blob'}/main/{path}{sharp}{fragment}"

    def write(self, directory: Path) -> None:
        source = directory / "source"
        for page in self.pages:
            with_parent(source / page).write_text(self.text(page))
        for picture in self.pictures:
            shutil.copy(picture, with_parent(source / "pictures" / picture))
        nav = list(expanded(source, self.config["project"]["nav"]))
        written = {path.relative_to(source).as_posix() for path in source.rglob("*.md")}
        in_menu = set(leaves(nav))
        self.problems += [f"{page} is in no menu: add it to nav in {CONFIG}" for page in sorted(written - in_menu)]
        self.problems += [f"{page} is in nav of {CONFIG} and no page" for page in sorted(in_menu - written)]
        text = re.sub(r"^nav = \[$.*?^\]$", lambda _: f"nav = {toml(nav)}", CONFIG.read_text(), flags=re.S | re.M)
        (directory / "zensical.toml").write_text(text)


def with_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def expanded(directory: Path, nav: list[Any]) -> Iterator[Any]:
    """The menu with the pages that its patterns match."""
    for entry in nav:
        if isinstance(entry, str):
            yield from sorted(path.relative_to(directory).as_posix() for path in directory.glob(entry))
        else:
            for name, inner in entry.items():
                yield {name: list(expanded(directory, inner)) if isinstance(inner, list) else inner}


def leaves(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for inner in [entry] if isinstance(entry, str) else entry.values():
            yield from leaves(inner) if isinstance(inner, list) else [inner]


def toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {toml(inner)}' for key, inner in value.items())} }}"
    return json.dumps(value)


def main(directory: Path) -> int:
    site = Site()
    site.collect()
    site.write(directory)
    for problem in site.problems:
        print(problem)
    return bool(site.problems)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
