"""The documentation site is whole: every name of the schema, every page in a menu, every link with a target."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from graphql import (
    DirectiveDefinitionNode,
    FieldDefinitionNode,
    InputValueDefinitionNode,
    TypeDefinitionNode,
    Visitor,
    parse,
    visit,
)

ROOT = Path(__file__).parents[2]


def run(script, *arguments, cwd=ROOT):
    command = [sys.executable, ROOT / "scripts" / script, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path):
    """The repository with pages of its own."""
    for path in ROOT.iterdir():
        if path.name in {"docs", "README.md"}:
            continue
        (tmp_path / path.name).symlink_to(path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


@pytest.fixture
def lay_out(repository, tmp_path_factory):
    """Lays the site out and returns its directory and what was found wrong."""
    directory = tmp_path_factory.mktemp("site")

    def lay_out():
        assert run("schema_reference.py", directory / "source/schema").returncode == 0
        done = run("docs_site.py", directory, cwd=repository)
        assert bool(done.stdout.strip()) == bool(done.returncode), done.stderr
        return directory, done.stdout

    return lay_out


class Names(Visitor):
    """What a schema names, and how it describes it."""

    def __init__(self):
        super().__init__()
        self.names, self.lines = set(), set()

    def enter(self, node, *_):
        if description := getattr(node, "description", None):
            self.lines.update(line.strip() for line in description.value.split("\n"))
        if isinstance(
            node, TypeDefinitionNode | DirectiveDefinitionNode | FieldDefinitionNode | InputValueDefinitionNode
        ):
            self.names.add(node.name.value)


def test_the_reference_has_every_name_and_description_of_the_schema(tmp_path):
    assert run("schema_reference.py", tmp_path).returncode == 0
    shown = "".join(path.read_text() for path in tmp_path.glob("*.md"))
    schema = Names()
    visit(parse((ROOT / "schema.graphql").read_text()), schema)
    headings = set(re.findall(r"^(?:## @?| *- \*\*`)(\w+)", shown, re.M))
    assert schema.names - headings == {"Query", "Mutation", "Subscription"}
    assert {line for line in schema.lines if line not in shown} == set()


def test_every_page_is_in_a_menu_and_every_link_has_a_target(lay_out):
    directory, wrong = lay_out()
    assert wrong.strip() == ""
    assert "decisions/0001-owner-led-keys.md" in (directory / "zensical.toml").read_text()
    pages = {path.name: path.read_text() for path in directory.rglob("*.md")}
    assert "](https://github.com/colloquy-chat/colloquy/blob/main/LICENSE)" in pages["contributing.md"]
    assert "](decisions/0001-owner-led-keys.md)" in pages["architecture.md"]
    assert [name for name, page in pages.items() if "README.md#" in page] == []


@pytest.mark.parametrize(
    ("page", "text", "complaint"),
    [
        ("docs/rest.md", "[gone](gone.md)", "docs/rest.md: gone.md leads to no file"),
        ("docs/rest.md", "![gone](../gone.png)", "docs/rest.md: ../gone.png leads to no file"),
        ("docs/new.md", "# New", "new.md is in no menu: add it to nav in docs/site.toml"),
        ("README.md", "\n## Something new\n", "the section 'Something new'"),
    ],
)
def test_what_would_be_a_broken_site_is_named(repository, lay_out, page, text, complaint):
    with (repository / page).open("a") as file:
        file.write(text)
    _, wrong = lay_out()
    assert complaint in wrong


def test_each_decision_has_a_number_of_its_own():
    names = [path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    assert names
    assert len({name[:4] for name in names}) == len(names), sorted(names)


def test_the_text_of_a_link_to_a_decision_has_the_decisions_number():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    link = re.compile(r"\[(?:[Dd]ecision )?(\d{4})\]\((?:docs/)?(?:decisions/)?(\d{4})-[\w-]+\.md")
    links = [(path.name, *found) for path in pages for found in link.findall(path.read_text())]
    assert links
    assert [each for each in links if each[1] != each[2]] == []


def test_code_is_left_as_it_is(repository, lay_out):
    with (repository / "docs/rest.md").open("a") as file:
        file.write("\n```\n## [in code](gone.md)\n```\n")
    directory, wrong = lay_out()
    assert wrong.strip() == ""
    assert "## [in code](gone.md)" in (directory / "source/rest.md").read_text()
