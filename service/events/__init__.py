"""Events: what happened, read in order, and sent as webhooks to those who asked."""
