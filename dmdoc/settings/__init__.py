"""Settings of a run, from files and the environment, and where things are kept.

May import: errors, atomic_file.
Knows nothing about documents, models or option names.
"""
