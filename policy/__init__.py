"""The CrossGuard policy pack: what no stack may do, whichever program declares it.

`rules.py` says what that is, in pure functions; `__main__.py`, which Pulumi's engine runs, shows it each resource.
"""
