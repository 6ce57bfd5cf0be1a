"""Settings and configuration files."""

from __future__ import annotations

from hookengine.config.groups import NamedSecret, SecretSource
from hookengine.config.loading import load_settings, read_config, read_files
from hookengine.config.settings import Settings, settings_table

__all__ = [
    "NamedSecret",
    "SecretSource",
    "Settings",
    "load_settings",
    "read_config",
    "read_files",
    "settings_table",
]
