"""Settings in files (`DATABASE_URL_FILE` and others) for commands that read the environment themselves."""

from collections.abc import Mapping

from infra.local.settings_table import SECTIONS
from shared.misspelt_variables import variables_of
from shared.settings import FILE_SUFFIX, values_from_files


def with_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with each value in its own variable instead of a file. Raises SettingsError."""
    found = dict(environment)
    for part in SECTIONS.values():
        variables = {variable: variable for variable in variables_of(part)}
        for variable, value in values_from_files(variables, environment).items():
            found[variable] = value
            found.pop(variable + FILE_SUFFIX, None)
    return found
