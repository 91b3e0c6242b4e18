"""Schema changes, one file each, never edited after release."""
