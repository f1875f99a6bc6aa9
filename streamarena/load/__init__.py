"""Load tests for token streams (floor 3)."""
