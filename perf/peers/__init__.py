"""Peers that are measured but never installed beside the tests: they get an environment of their own."""
