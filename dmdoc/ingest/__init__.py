"""Files into saved states: which files, one document, many documents, sections.

May import: errors, progress, text, document, memory, model, library, refine.
Knows nothing about questions or terminals.
"""
