"""Whether a run presumes that its next batch brings new addresses alone: then hardly any of it is looked up.

A file that brings a new list finds nobody, and to say so of each row took a good part of Postgres' time. The index of
addresses is unique: who is known after all is refused when the batch is written, and who is suppressed is asked then,
with the addresses in hand (merge.py). A batch that brings such a row has lost a race, like one that somebody overtook:
it is looked up, decided and written again (pipeline.py). From then on the run presumes nothing any more: a wrong guess
costs a few batches' work, once, and where many are known a sample tells before.

Never presumed is what writing would not refuse: an update, a dry run, a row that lacks a required value and would be
taken if its member were known.
"""

SAMPLED = 100
"""Of a batch that is presumed new every so-many-th row is looked up; if it is known or suppressed, all are."""


class Presumption:
    """What the batches of one run say of the next. `allowed`: whether anything may be presumed at all.

    `holds`: whether the next batch is presumed to bring new addresses alone.
    """

    def __init__(self, *, allowed: bool) -> None:
        self.holds = False
        self._possible = allowed

    def looked(self, *, found: bool) -> None:
        """Note a batch, and whether members or suppressed addresses were found for it."""
        if found:
            self.give_up()
        else:
            self.holds = self._possible

    def give_up(self) -> None:
        """Presume nothing any more: somebody was found, or a write refused."""
        self.holds = self._possible = False
