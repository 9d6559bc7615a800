"""The errors and warnings of this package."""

from .common.errors import (
    AccuracyWarning,
    ConvergenceWarning,
    FileFormatError,
    ModelError,
    OMEError,
    SettingsError,
    StoreError,
    WorkerError,
)

__all__ = [
    "AccuracyWarning",
    "ConvergenceWarning",
    "FileFormatError",
    "ModelError",
    "OMEError",
    "SettingsError",
    "StoreError",
    "WorkerError",
]
