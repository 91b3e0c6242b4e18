"""Credential formats, keys, identifiers and status lists: pure functions over text and bytes."""
