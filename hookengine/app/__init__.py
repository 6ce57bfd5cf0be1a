"""Wiring: everything is built here, from settings, and given what it needs."""

from __future__ import annotations

from hookengine.app.engine import HookEngine
from hookengine.app.serving import Role, serve
from hookengine.app.stores import database_path

__all__ = ["HookEngine", "Role", "database_path", "serve"]
