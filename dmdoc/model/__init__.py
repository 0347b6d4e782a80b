"""A frozen model with an adapter: found, loaded, and used to write text into a state and to answer from one.

May import: errors, atomic_file, settings, text, memory.
Knows nothing about files of documents or where they are saved.
"""
