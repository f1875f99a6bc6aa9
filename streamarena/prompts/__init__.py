"""The prompt catalogue and its assembly (floor 1)."""
