"""The vocabulary check finds a retired word in every kind of file, and lets plain English pass."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/vocabulary.py"
RETIRED = {
    "settle.py": (
        '''
class Ear:
    """Whoever listens
    is told."""

    def wake(self, most_rows, place):
        self.until_told = place  # those who hear it
        raise ValueError("The server says no.")
''',
        [
            "1: settle in settle: write null_propagation.py, complete",
            "2: ear in Ear: write listener",
            "3: Whoever: write the client, the caller, the reader that",
            "4: is told: write receives, has received",
            "6: most in most_rows: write maximum, MAX_PAGE_SIZE, MAX_BATCH",
            "6: place in place: write position, MessageKey, index, directory",
            "7: hear: write receives",
            "7: those who: write readers that, clients that",
            "7: told in until_told: write deliver, delivered, send",
            "8: server says: write the program states, names, means, returns",
        ],
    ),
    "page.md": (
        "# A page\n\n```\nwhoever\n```\n\nThe reader is\ntold `whoever` it is, in a twin.\n",
        ["7: is told: write receives, has received", "8: twin: write duplicate"],
    ),
    "schema.graphql": (
        '"""\nA session.\nGone for good.\n"""\ntype Twin {\n  "Never told."\n  told: ID\n}\n',
        ["3: for good: write permanently", "6: Never told: write receives, has received"],
    ),
}
ALLOWED = {
    "tests/local_names.py": "place = wanted = None\n",
    "clean.py": '''
import ast


class Listener:
    """Two messages of one agent are told apart by their keys, at most once, in place of the old."""

    def notify(self, placeholder, almost, hearing):
        self.walk = ast.walk(placeholder)  # people say so, and who decides is a person
        return "told"
''',
    "clean.md": "# Tell users why\n\nTell keys apart: `ear.told()`. Once more, at once, everybody takes a place.\n",
    "clean.graphql": '"What the tool returned."\ntype Told {\n  twin: ID # whoever\n}\n',
}


def checked(folder, files):
    """The exit status and the lines of the check over these files, paths relative to `folder`."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, SCRIPT, *sorted(files)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout.splitlines()


def test_retired_words_are_found_at_their_lines_with_a_replacement(tmp_path):
    status, lines = checked(tmp_path, {name: text for name, (text, _) in RETIRED.items()})
    expected = [f"{name}:{hit}" for name, (_, hits) in RETIRED.items() for hit in hits]
    assert (status, sorted(lines[:-1])) == (1, sorted(expected))


def test_plain_english_and_names_of_others_pass(tmp_path):
    assert checked(tmp_path, ALLOWED) == (0, ["4 files, 0 retired words"])
