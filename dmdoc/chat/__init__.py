"""A conversation with a state of its own: its loop, its commands, its keyboard.

May import: errors, settings, text, document, memory, model, library, ingest, answer, console.
Knows nothing about the options of the command line.
"""
