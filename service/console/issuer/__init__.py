"""Pages of an issuer: cases, grants, offers."""
