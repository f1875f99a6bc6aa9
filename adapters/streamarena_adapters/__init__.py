"""Adapters that put streamarena under, over or beside foreign libraries; one module for each."""
