"""Tables, queries, migrations and the audit record."""
