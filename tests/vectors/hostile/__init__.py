"""Hostile tokens and keys, built by construction: each departs from a sound one in exactly one way."""
