"""Counts how operations ran."""

from collections import Counter

COMPILED = "compiled"
FIRST_RUN = "first run"
REQUEST_ERROR = "request error"

outcomes: Counter[str] = Counter()
"""Executions since the start of the process, by outcome; an event of a subscription is an execution.

"compiled": compiled code ran. "request error": nothing ran, for example because a variable has an invalid value.
"first run": graphql-core ran an operation that is not worth compiling yet. Every other key is the reason why
graphql-core ran the operation, for example "middleware" or "@defer"; README.md lists them.
"""
