"""Networks in other people's documentation, drawn anew on every build: for Sphinx (and MyST) and for MkDocs."""
