"""The tracker's own ASGI app: pixel, click redirect, one-click unsubscribe.

It faces the internet and holds no key but the link-signing one.
"""
