"""Coverage-guided fuzzing, run by hand: `make fuzz`. The short form is part of the tests."""
