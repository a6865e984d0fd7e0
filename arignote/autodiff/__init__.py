"""Derivatives: reverse mode by backpropagators, forward mode, numerical checks."""
