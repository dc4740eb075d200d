"""One real request, traced: `client` sends it, `evidence` collects its records, `table`, `tracker` and `moments`
present them.
"""
