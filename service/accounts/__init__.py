"""People who work for an organisation, and how they sign in."""
