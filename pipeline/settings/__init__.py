"""Settings: what there is to set (`sections`), and how it is read (`load`)."""

from pipeline.settings.alerts import AlertSettings, AlertTarget
from pipeline.settings.load import DEFAULT_FILE, SettingsError, load
from pipeline.settings.sections import (
    CampaignSettings,
    DetectorSettings,
    EngineSettings,
    IncidentSettings,
    Settings,
    StoreSettings,
    StreamSettings,
    SuppressionSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "AlertSettings",
    "AlertTarget",
    "CampaignSettings",
    "DetectorSettings",
    "EngineSettings",
    "IncidentSettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "StreamSettings",
    "SuppressionSettings",
    "load",
]
