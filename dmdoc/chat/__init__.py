"""A conversation with a state of its own: its loop, its commands, its keyboard.

May import: answer, ingest, library, console. Knows nothing about the options of the command line.
"""
