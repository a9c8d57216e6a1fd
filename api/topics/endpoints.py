"""/v1/topics: what members choose to be written about."""

from fastapi import APIRouter, Response, status

from api import revisions
from api.auth import By, Requires
from api.pagination import Listed, Paged, part
from api.revisions import IfMatch
from api.route import Route
from api.services import From
from api.topics.schemas import NewTopic, TopicChange, TopicShown, shown
from api.values import TopicPath
from core import ids

router = APIRouter(prefix="/v1/topics", tags=["topics"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("topics:write")])
async def create_topic(body: NewTopic, response: Response, by: By, services: From) -> TopicShown:
    """Create a topic that nobody is in yet: members join by consent."""
    made = await services.topics.create(by.account_id, body.name, body.label)
    response.headers["Location"] = f"/v1/topics/{ids.encode('top', made.topic_id)}"
    revisions.tag(response, made.revision)
    return shown(made)


@router.get("", dependencies=[Requires("topics:read")])
async def list_topics(page: Paged, by: By, services: From) -> Listed[TopicShown]:
    """List topics, oldest first."""
    whole = await services.topics.list(by.account_id)
    found, following = part(whole, page, lambda topic: topic.topic_id)
    return Listed(items=[shown(topic) for topic in found], next=following, count=len(whole) if page.count else None)


@router.get("/{topic_id}", dependencies=[Requires("topics:read")])
async def get_topic(topic_id: TopicPath, response: Response, by: By, services: From) -> TopicShown:
    """Read a topic."""
    found = await services.topics.get(by.account_id, topic_id)
    revisions.tag(response, found.revision)
    return shown(found)


@router.patch("/{topic_id}", dependencies=[Requires("topics:write")])
async def change_topic(
    topic_id: TopicPath, revision: IfMatch, body: TopicChange, response: Response, by: By, services: From
) -> TopicShown:
    """Change a topic's name or label."""
    changed = await services.topics.change(by.account_id, topic_id, revision, name=body.name, label=body.label)
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.delete("/{topic_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("topics:write")])
async def remove_topic(topic_id: TopicPath, by: By, services: From) -> None:
    """Remove a topic. Its members stay, and so does what they consented to in the ledger."""
    await services.topics.remove(by.account_id, topic_id)
