"""Fault experiments: what the product promises, counted while something is broken on purpose."""
