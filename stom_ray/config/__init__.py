"""A search, written down: the YAML file of `stom-ray search` and `stom-ray walk-forward`."""

from stom_ray.config.file import EXAMPLE, checked, load_config
from stom_ray.config.run import RunConfig
from stom_ray.config.words import parse_bytes, parse_span, parse_weights

__all__ = ["EXAMPLE", "RunConfig", "checked", "load_config", "parse_bytes", "parse_span", "parse_weights"]
