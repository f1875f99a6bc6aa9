"""Whole paths over real sockets: client, relay, load."""
