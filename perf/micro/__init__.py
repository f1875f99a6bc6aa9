"""Measurements of one part in one process: no sockets, no waiting."""
