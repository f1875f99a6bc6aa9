"""The relay and the working parts of the ASGI middleware (floor 3)."""
