"""The command ``actors``: what runs on this host for this user, and what is to be done about it."""
