"""The fold over merged record batches, and the Faust agents that run it."""
