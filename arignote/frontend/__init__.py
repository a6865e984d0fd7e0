"""Python source to typed graphs: a specialiser that runs what is static and emits nodes for the rest."""
