"""Faults that really fire, on real workers and a real broker, and a judge that reads Kafka alone."""
