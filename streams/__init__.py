"""Where it flows: the Faust app, topics, merging, partition transactions, recovery, settings, the broker."""
