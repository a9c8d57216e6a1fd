"""What can go wrong with members, by meaning."""

from core.errors import Conflict, InvalidInput, Unavailable


class BadAddress(InvalidInput):
    """This is not an address that mail can be sent to."""

    code = "bad-address"
    title = "Not a mail address"


class WrongValue(InvalidInput):
    """A value does not fit its attribute's type. The text says what is expected, never what was given."""

    code = "wrong-value"
    title = "The value does not fit the attribute"


class AddressTaken(Conflict):
    """Another member of the account has this address."""

    code = "address-taken"
    title = "A member with this address exists"


class Suppressed(Conflict):
    """The address is on the suppression list, and nothing newer lifts it."""

    code = "suppressed"
    title = "The address is suppressed"


class StatusForbids(Conflict):
    """The member's status does not allow this: who left or bounced can't be paused."""

    code = "status-forbids"
    title = "The member's status does not allow this"


class AttributeInUse(Conflict):
    """Members hold values of the attribute, or a segment filters by it: this change would break them."""

    code = "attribute-in-use"
    title = "The attribute is in use"


class GroupInUse(Conflict):
    """A segment filters by the group."""

    code = "group-in-use"
    title = "The group is in use"


class TopicInUse(Conflict):
    """A segment filters by the topic."""

    code = "topic-in-use"
    title = "The topic is in use"


class Overtaken(Unavailable):
    """What a write was made by changed under it: keys, a protection, the member's own sealing. Read anew it goes on."""


class NotAcknowledged(Conflict):
    """Some process that holds keys has not read the newest of them yet, so that they can't be relied on."""


class StillNeeded(Conflict):
    """Something is still sealed or found by a key that was to be destroyed."""


class SegmentInUse(Conflict):
    """Another segment names this one."""

    code = "segment-in-use"
    title = "The segment is in use"
