"""The wire formats of providers, one module each; a new one is a row in `KINDS`."""

from . import compatible
from .provider import Kind

KINDS = {"compatible": Kind(compatible.request, compatible.read)}
