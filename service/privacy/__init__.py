"""Erasing people: what keeps their records, what is done when nothing does, and the trace that it leaves."""
