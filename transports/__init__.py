"""Mailboxes that outlive the processes which use them, over exchangeable transports."""

from transports import foreign as foreign
from transports.inspection import inspect as inspect
