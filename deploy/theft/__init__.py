"""Plays the thief: who has a dump of both databases, the logs and a recorded wire looks for people whom they know.

`known` is who is looked for, `spellings` in which forms (pure), `net` finds thousands of patterns at once (pure) ·
`loot` reads what was stolen, `tables` the tables in a dump (pure), `resemblance` counts what equal ciphertexts tell
(pure) · `search` puts these together · `victims` are made-up people, `story` their life in a service, `visits` what
they do on their own pages, `tap` records its wires, `swap` moves their sealed rows, `robbery` stages and robs it all.
"""
