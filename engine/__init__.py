"""What follows from an event: pure decisions on one account row. No I/O, clock, randomness, Kafka or environment."""

from compiled import search_path

__path__ = search_path(__name__, __path__)
