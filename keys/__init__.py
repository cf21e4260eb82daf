"""The keys of a stack's configuration: what each may be, one group a file. `settings.py` reads them."""
