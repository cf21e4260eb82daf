"""The nouns of the program, one a file.

Nothing here reads configuration, exports an output or knows an environment's name: all of that stands in `__main__.py`.
"""
