"""dmdoc reads a long document once into a δ-mem state and answers questions from that state."""

__version__ = "0.1.0"
