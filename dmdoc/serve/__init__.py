"""The same answers over HTTP: one resident process for the programs and the browser of this machine.

May import: errors, settings, memory, model, library, answer.
Knows nothing about options or terminals.
"""
