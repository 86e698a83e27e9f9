"""A programme definition told in plain language: what a member gets, and when."""
