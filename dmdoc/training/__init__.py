"""Training a δ-mem adapter for any supported backbone: write a document, remove it, read the state, learn.

config → examples → curriculum → reads → packing → loss → loop → card. `initial` is where weights start,
`measure` what is logged against controls, `checkpoint` what a killed run continues from. smollm2-135m.toml is
the run that trained the shipped adapter.
"""
