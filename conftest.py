"""Fixtures for the tests of all three distributions."""

pytest_plugins = [
    "tests.support.fixtures",
    "tests.support.groups",
    "tests.support.missing_prerequisites",
    "tests.support.plain_postgresql",
]
