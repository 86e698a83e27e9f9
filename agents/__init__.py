"""The fold over merged record batches, and the Faust agents that run it."""

from compiled import search_path

__path__ = search_path(__name__, __path__)
