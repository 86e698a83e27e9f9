"""What may be said: inbound events, outcomes, links between accounts, the account row, programme definitions."""
