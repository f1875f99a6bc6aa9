"""The command line (floor 4)."""
