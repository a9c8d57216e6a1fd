"""REST under /v1: what it accepts, who may do it, what it answers. Everything else is decided below it.

`app` puts it together · `guard` bounds every request · `route` authenticates, permits and makes POSTs repeatable ·
one folder a resource, endpoints and schemas apart.
"""
