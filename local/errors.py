"""The one error the platform raises for people: what is wrong, where, what was found, what to do."""


class PlatformError(Exception):
    """Something outside the code is not as the platform needs it; the message is all that a person is shown."""
