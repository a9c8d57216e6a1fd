"""What members are told that a topic is."""

from members.topics import Topic


def label_of(topic: Topic, language: str) -> str:
    """Return a topic's label in a language, else in any that there is, else its name."""
    return topic.label.get(language) or next(iter(topic.label.values()), topic.name)
