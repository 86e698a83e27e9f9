"""What may be said: inbound events, outcomes, links between accounts, the account row, programme definitions."""

from compiled import search_path

__path__ = search_path(__name__, __path__)
