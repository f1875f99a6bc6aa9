"""LLM token streams in asyncio: a request is a scope, and bytes are borrowed."""
