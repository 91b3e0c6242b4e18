"""Commands; each is thin and calls the same use cases as HTTP."""
