"""The holder: receives credentials, keeps them, and shows only what a request needs and its owner agrees to."""
