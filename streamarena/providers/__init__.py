"""Events to chunks and back, one file for each wire API (floor 1, sans-IO)."""
