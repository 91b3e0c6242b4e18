"""The platform's front door: ask for presentations, verify them, keep what they prove."""
