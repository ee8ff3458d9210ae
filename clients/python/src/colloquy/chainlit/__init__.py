"""A data layer for Chainlit (https://docs.chainlit.io/data-layers/overview)."""

from colloquy.extras import extra

with extra("chainlit"):
    from colloquy.chainlit.data_layer import ColloquyDataLayer

__all__ = ["ColloquyDataLayer"]
