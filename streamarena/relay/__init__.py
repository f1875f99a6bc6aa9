"""The relay, and the working parts that it shares with the ASGI middleware (floor 3)."""
