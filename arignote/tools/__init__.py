"""At everyone's service: the command line, pages that show every stage, bisection to one rewrite, reproducers."""
