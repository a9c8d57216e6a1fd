"""The main job on made-up people, from their file to the report, each figure compared with what was done.

`people`, `sheet`, `letters`, `campaigns`, `behaviour`, `machines` say what there is and what is expected (pure) ·
`mail`, `signatures` read what arrived · `recipients` are the people at their mailboxes, who act by `asking` and
`answers`; `marketer` is the one at the API · `ledger` compares · `stage` holds the installation · `story` is the order
of it all · `view`, `table` show it.
"""
