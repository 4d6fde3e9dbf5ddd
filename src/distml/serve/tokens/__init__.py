"""Who may ask: bearer tokens, their entries in the environment, and which are revoked."""
