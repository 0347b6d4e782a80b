"""Saved documents on disk: lookup, locks, folders swapped whole, bundles to hand over.

May import: errors, atomic_file, text, document, memory.
Knows nothing about models or how a state was made.
"""
