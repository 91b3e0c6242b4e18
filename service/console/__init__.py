"""Pages for the people of an organisation: rendered here, usable without a script, at ``/console``."""
