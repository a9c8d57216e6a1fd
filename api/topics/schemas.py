"""Topics as they are sent and shown."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.values import Answer, Body, Name, TopicId
from members.topics import LANGUAGES, MAX_NAME, Topic

Label = Annotated[
    dict[str, Annotated[str, Field(min_length=1, max_length=MAX_NAME)]],
    Field(max_length=len(LANGUAGES), description="What members are shown, by language: ja, en"),
]

_EXAMPLE: JsonDict = {"name": "weekly", "label": {"ja": "週刊", "en": "Weekly"}}


class NewTopic(Body):
    """Something that members choose to be written about."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    label: Label = Field(default_factory=dict)


class TopicChange(Body):
    """What is to be otherwise; what is left out stays. A label is replaced as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label": {"ja": "毎週のお知らせ"}}]})

    name: Name | None = None
    label: Label | None = None


class TopicShown(Answer):
    """A topic."""

    id: TopicId
    name: str
    label: dict[str, str]
    created_at: datetime


def shown(topic: Topic) -> TopicShown:
    """Return what the API shows of a topic."""
    return TopicShown(id=topic.topic_id, name=topic.name, label=dict(topic.label), created_at=topic.created_at)
