"""The streaming HTTP client (floor 2)."""
