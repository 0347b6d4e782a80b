"""The δ-mem memory: the delta rule, the adapter, the hooks that attach it, states and their files.

May import: errors, atomic_file.
Knows nothing about documents, tokens or which model is used.
"""
