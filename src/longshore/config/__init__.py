"""The configuration file: models, positions, origins, errors for people."""

from longshore.config.json_schema import json_schema
from longshore.config.load import Loaded, load
from longshore.config.origins import Origin
from longshore.config.problems import ConfigError, ConfigProblem, Place
from longshore.config.schema import Config

__all__ = ["Config", "ConfigError", "ConfigProblem", "Loaded", "Origin", "Place", "json_schema", "load"]
