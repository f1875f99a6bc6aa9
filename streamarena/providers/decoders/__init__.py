"""Events to chunks: one file for each wire API, chosen by `streamarena.providers.decoder_for`."""
