"""Settings: what there is to set (`sections`), and how it is read (`load`)."""

from pipeline.settings.load import DEFAULT_FILE, SettingsError, load
from pipeline.settings.sections import (
    CampaignSettings,
    DetectorSettings,
    EngineSettings,
    IncidentSettings,
    Settings,
    StoreSettings,
    StreamSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "CampaignSettings",
    "DetectorSettings",
    "EngineSettings",
    "IncidentSettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "StreamSettings",
    "load",
]
