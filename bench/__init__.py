"""Colloquy beside the servers that people would pick instead: `make bench`, or `python -m bench --help`."""
