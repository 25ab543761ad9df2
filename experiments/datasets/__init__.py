"""Episodes in files, for learning offline: `description`, `dataset` (the format), `writer`,
`validate` (what is refused), and `minari` (other people's).
"""
