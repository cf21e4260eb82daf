"""A secret that nobody chose: made once, and kept in the state, encrypted.

`pulumi up --replace '**::NAME'` makes another one. Not for certificates, which depend on something; see `certificates`.
"""

import secrets

import pulumi

BYTES = 32
"""Random bytes of each, which nobody can guess."""


def token(name: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Declare the secret `name`, of 43 letters, digits, hyphens and underscores, and return it."""
    once = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["input"]))
    kept = pulumi.Stash(name, input=pulumi.Output.secret(secrets.token_urlsafe(BYTES)), opts=once)
    return pulumi.Output.secret(kept.output)
