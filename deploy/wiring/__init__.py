"""Puts each process together out of the packages below: the one place that knows every constructor.

A file a process, so that none loads what another needs.
"""
