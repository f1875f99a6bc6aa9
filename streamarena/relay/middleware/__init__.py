"""The working parts of the ASGI middleware (`streamarena_adapters.asgi`): one request on its way through it."""
