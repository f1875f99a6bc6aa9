"""Server-sent events: bytes to events and back (floor 1, sans-IO)."""
