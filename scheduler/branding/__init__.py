"""What an account's pages and letters look like and say: name, logo, colours, texts, legal address, links."""

from scheduler.branding.fields import Branding, BrandingFields, Link
from scheduler.branding.store import BrandingStore

__all__ = ["Branding", "BrandingFields", "BrandingStore", "Link"]
