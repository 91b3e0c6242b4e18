"""Organisations, their API clients and keys, and their DID documents."""
