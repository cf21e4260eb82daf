"""The schema's history: one file a revision in ``versions``, each of which says what it follows (``down_revision``).

What to heed in a new one stands in ``catalog.migrate``.
"""
