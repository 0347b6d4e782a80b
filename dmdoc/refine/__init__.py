"""Practice made from a section's own text, and gradient steps on the section's state.

May import: errors, text, memory, model.
Knows nothing about files or saved documents.
"""
