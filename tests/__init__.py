"""Tests of loyalty-streams: cases, properties, the real broker, the house rules."""
