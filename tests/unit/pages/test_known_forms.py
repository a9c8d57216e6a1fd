from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from api.pages.signup import known
from api.pages.signup.known import FormParts, KnownForms


@dataclass
class Clock:
    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


async def test_a_form_is_read_once_a_second() -> None:
    clock, reads = Clock(), []
    forms = KnownForms(cast("Any", clock))

    async def read() -> FormParts:
        reads.append(clock.seconds)
        return cast("Any", object())

    for at in (0.0, 0.5, 0.99, 1.0, 1.5, 2.0):
        clock.seconds = at
        await forms.parts(UUID(int=1), read)
    assert reads == [0.0, 1.0, 2.0]
    await forms.parts(UUID(int=2), read)
    assert len(reads) == 4, "another account's form is another form"


async def test_words_are_kept_once_and_again_after_a_failure() -> None:
    kept = []
    forms = KnownForms(cast("Any", Clock()))

    async def keep() -> None:
        kept.append(len(kept))
        if len(kept) == 1:
            raise OSError

    for _ in range(3):
        try:
            await forms.keep(UUID(int=1), "ja-1", keep)
        except OSError:
            continue
    assert len(kept) == 2
    await forms.keep(UUID(int=1), "ja-2", keep)
    assert len(kept) == 3


async def test_what_is_remembered_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(known, "MOST", 3)
    forms = KnownForms(cast("Any", Clock()))

    async def read() -> FormParts:
        return cast("Any", object())

    async def keep() -> None:
        pass

    for number in range(10):
        await forms.parts(UUID(int=number), read)
        await forms.keep(UUID(int=number), "ja-1", keep)
    assert len(forms._read) <= 3
    assert len(forms._kept) <= 3
