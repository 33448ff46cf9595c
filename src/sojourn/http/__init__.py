"""The HTTP surfaces: a small ASGI application over the services."""
