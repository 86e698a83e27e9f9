"""Where it flows: the Faust app, topics, merging, partition transactions, recovery, settings, the broker."""

from compiled import search_path

__path__ = search_path(__name__, __path__)
