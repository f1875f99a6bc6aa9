"""Context windows: models, tokens, histories, trimming, condensing, output limits (floor 1)."""
