"""The members' own pages: server-rendered, in each account's look, without JavaScript.

An ASGI app of its own, served by `todoku pages`, which faces the internet. Each concern has a folder with its
`endpoints.py`; what all of them share stands here, a file each: how a page is rendered (page.py), in which language
(language.py), how a form is read (forms.py) and known to be ours (stamps.py), how often one may ask (limits.py).
"""
