"""stom_ray: searches STOM's trading conditions honestly.

The verbs are functions of `stom_ray.api`. Importing is cheap: neither ray nor torch is loaded before something needs it.
"""

__version__ = "0.1.0"
