"""Backups in two sets, the databases and apart from them the keys, and what has to happen when they are restored.

`sets` is how a set lies on disk: its manifest, its name, its age · `making` makes both from one moment · `restoring`
brings them back into empty databases · `replaying` repeats what happened since: erasures, stops, suppressions.

    todoku-20261126T203000Z/        main.dump  members.dump  manifest.json
    todoku-keys-20261126T203000Z/   keys.dump  erased.jsonl  manifest.json

A member's row without the member's key says nothing. So an erasure is final when the last set of *keys* that was made
before it is gone, however long the sets of databases are kept.
"""
