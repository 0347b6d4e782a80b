"""Train an adapter: write a document, remove it, read its questions from the state, learn.

config → examples → curriculum → reads → loss → loop → card; `initial` is where weights start, `measure` what is
logged beside controls, `checkpoint` what a killed run continues from.
May import: errors, atomic_file, progress, text, fictional, datasets, memory, model, refine.
Knows nothing about saved documents or how a question is asked.
"""
