"""A campaign from its draft to its end: what it is, whether it can be sent, when it starts, how it is steered.

`states` the closed state machine · `fields` what a marketer sets · `times` when it starts · `check` every fault at
once · `freezing` content, run and lane in one transaction · `addressees` who may get a test · `steering` pause, resume,
cancel · `store` all of it, for the API.
"""
