"""What every HTTP interface of the service shares."""
