"""Who is told of an alert, and how often: one routing, for an Alertmanager of the stack's own and for the Operator's.

Alerts of one kind and service come as one message. A page is repeated until it is over, a ticket once a day; a page
silences the tickets about the same thing. Messages go to one webhook, whose URL is a secret: what stands behind it, a
pager or a chat, is not known here. Without a URL alerts are seen in Alertmanager and in Prometheus, and nowhere else.
"""

from typing import Any

from components.rules import duration
from components.yaml_text import to_yaml

URL_KEY = "url"
"""Key of the Secret that holds the webhook's URL."""

URL_FOLDER = "/run/secrets/webhook"
"""Where an Alertmanager of the stack's own finds that Secret."""

_GROUP = ("alertname", "namespace", "service")
_WAIT = 30
_INTERVAL = 300
_REPEAT_PAGE = 3_600
_REPEAT_TICKET = 86_400
"""Seconds; the first two are Alertmanager's own defaults."""


def alertmanager_yml(*, webhook: bool, divisor: int) -> str:
    """Return Alertmanager's configuration file.

    Args:
        webhook: Whether there is a URL to send to, in `URL_FOLDER`.
        divisor: What all times are divided by, for a drill; 1 is the real thing.
    """
    sender = {"url_file": f"{URL_FOLDER}/{URL_KEY}", "send_resolved": True}
    config = {
        "route": {
            "receiver": "webhook",
            "group_by": list(_GROUP),
            "group_wait": _time(_WAIT, divisor),
            "group_interval": _time(_INTERVAL, divisor),
            "repeat_interval": _time(_REPEAT_TICKET, divisor),
            "routes": [{"matchers": ['severity="page"'], "repeat_interval": _time(_REPEAT_PAGE, divisor)}],
        },
        "receivers": [{"name": "webhook", **({"webhook_configs": [sender]} if webhook else {})}],
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"'],
                "target_matchers": ['severity="ticket"'],
                "equal": list(_GROUP),
            }
        ],
    }
    return to_yaml(config)


def alertmanager_config_spec(*, secret: Any, divisor: int) -> dict[str, Any]:
    """Return the `spec` of an AlertmanagerConfig (monitoring.coreos.com/v1alpha1).

    Args:
        secret: Name of the Secret with the webhook's URL, an Input; None without one.
        divisor: As for `alertmanager_yml`.
    """

    def matcher(severity: str) -> dict[str, str]:
        return {"name": "severity", "value": severity}  # equal is the default, and `=` no text to every parser of YAML

    sender = {"urlSecret": {"name": secret, "key": URL_KEY}, "sendResolved": True}
    return {
        "route": {
            "receiver": "webhook",
            "groupBy": list(_GROUP),
            "groupWait": _time(_WAIT, divisor),
            "groupInterval": _time(_INTERVAL, divisor),
            "repeatInterval": _time(_REPEAT_TICKET, divisor),
            "routes": [
                {
                    "receiver": "webhook",
                    "matchers": [matcher("page")],
                    "groupBy": list(_GROUP),
                    "repeatInterval": _time(_REPEAT_PAGE, divisor),
                }
            ],
        },
        "receivers": [{"name": "webhook", **({"webhookConfigs": [sender]} if secret is not None else {})}],
        "inhibitRules": [{"sourceMatch": [matcher("page")], "targetMatch": [matcher("ticket")], "equal": list(_GROUP)}],
    }


def _time(seconds: int, divisor: int) -> str:
    return duration(max(1, seconds // divisor))
