"""Request arenas, pools, interner, mapped files, allocation tracking and profiling (floor 1, sans-IO)."""
