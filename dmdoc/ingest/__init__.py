"""Files into saved states: which files, one document, many documents, sections.

May import: refine, library, model, document. Knows nothing about questions or terminals.
"""
