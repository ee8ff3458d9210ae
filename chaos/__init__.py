"""Fault experiments: something is broken on purpose under load, and what was lost is counted."""
