"""A server on a port, for every test in this folder."""

from serving import serve, served, served_reader

__all__ = ["serve", "served", "served_reader"]
