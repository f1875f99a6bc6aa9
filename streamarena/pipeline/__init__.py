"""Stages over chunks, fused into one synchronous loop, with asynchronous boundaries (floor 2)."""
