"""A question answered from a state: choose the section, answer, cite, say how sure.

May import: errors, settings, text, memory, model, library.
Knows nothing about how a document was read or who asks.
"""
