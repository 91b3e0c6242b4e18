"""The rules, one file per group of law or policy."""
