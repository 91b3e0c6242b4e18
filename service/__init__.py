"""Goodstanding: reusable proof of identity and investor status, and a transfer gate that reads it."""

__version__ = "0.1.0"
