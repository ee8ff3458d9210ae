"""How the cost of each operation grows with the data: `python -m bench.growth` (docs/growth.md)."""
