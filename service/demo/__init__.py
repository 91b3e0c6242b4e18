"""The demo organisations and the story that shows the whole service at work."""
