"""What follows from an event: pure decisions on one account row. No I/O, clock, randomness, Kafka or environment."""
