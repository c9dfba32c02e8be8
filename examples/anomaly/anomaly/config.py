"""Configuration, read from environment variables once when the app starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def read_config() -> dict[str, Any]:
    env = os.environ
    return {
        # A relative SQLite path starts in the instance folder.
        "SQLALCHEMY_DATABASE_URI": env.get("DATABASE_URL", "sqlite:///anomaly.db"),
        "MAX_CONTENT_LENGTH": 64 * 1024,
        "MODEL_DIR": env.get("MODEL_DIR", str(PROJECT_ROOT / "model")),
        "PREDICTION_TTL_S": int(env.get("PREDICTION_TTL_S", "300")),
        # The hosted model is asked first when a token for it is set.
        "REPLICATE_API_TOKEN": env.get("REPLICATE_API_TOKEN", ""),
        "REPLICATE_BASE_URL": env.get("REPLICATE_BASE_URL", "https://api.replicate.com"),
        "REPLICATE_MODEL_VERSION": env.get("REPLICATE_MODEL_VERSION", "anomaly-detector:4f1c2a"),
        "REPLICATE_TIMEOUT_S": float(env.get("REPLICATE_TIMEOUT_S", "5")),
        "SCHEDULER_ENABLED": env.get("SCHEDULER_ENABLED", "1") == "1",
        "REFRESH_BATCH_SIZE": int(env.get("REFRESH_BATCH_SIZE", "200")),
        "LOG_LEVEL": env.get("LOG_LEVEL", "INFO"),
    }
