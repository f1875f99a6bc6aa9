"""Chunks to the bytes of a stream: one file for each wire API, chosen by `streamarena.providers.encoder_for`."""
