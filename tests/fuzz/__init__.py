"""Fuzzing of every parser that reads what strangers send: targets, a saved corpus, and long runs (``make fuzz``)."""
