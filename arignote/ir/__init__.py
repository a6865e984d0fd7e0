"""The graph language: types, graph, check, evaluate, text, structures."""
