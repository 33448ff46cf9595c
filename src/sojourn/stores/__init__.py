"""Stores: where sessions live. Each one implements `sojourn.service.ports.Store`."""
