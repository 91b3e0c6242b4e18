"""Pages for organisations with the platform role: registers, trust, investors, decisions."""
