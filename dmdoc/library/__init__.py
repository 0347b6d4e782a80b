"""Saved documents on disk: lookup, locks, whole folders swapped at once, bundles to hand over.

May import: memory (states on disk), document, settings. Knows nothing about models or how a state was made.
"""
