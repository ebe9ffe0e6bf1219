"""What a user can do wrong, each with the exit code a scheduler sees."""

from __future__ import annotations


class HoldfastError(Exception):
    """A user's mistake, told in one message that ends with the next step; never shown as a traceback."""

    exit_code = 3


class ContractError(HoldfastError):
    """The data breaks its contract: the message names table, column, count and an example."""

    exit_code = 1


class ConfigurationError(HoldfastError):
    """A parameter, a path or an option is wrong or missing."""

    exit_code = 2


class LimitError(HoldfastError):
    """A limit set in `params.yaml` was passed."""

    exit_code = 4
