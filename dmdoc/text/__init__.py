"""Clean text: normalised, cut into sentences and chunks, its phrases found.

May import: errors.
Knows nothing about files, models or states.
"""
