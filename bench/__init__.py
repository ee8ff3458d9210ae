"""Colloquy compared with other servers for the same data: `make bench`, or `python -m bench --help`."""
