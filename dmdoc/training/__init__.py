"""Training a δ-mem adapter for any supported backbone: write a document, remove it, read the state, learn.

config → examples → packing → loop; `initial` is where weights start, `measure` what is logged against controls.
"""
