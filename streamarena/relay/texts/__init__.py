"""Editing the texts of a streamed body while it passes, and nothing but the texts."""
