"""Keep a valid API key in a folder: `python -m infra.containers.first_key FOLDER`, after the migrations."""

import sys
from pathlib import Path

from infra.containers.make_secrets import write
from infra.local.installation import keep_api_key
from infra.local.kept_key import KEY_FILE, read_kept_key
from infra.local.process import ProcessError
from shared.settings import DatabaseSettings, SettingsError, load_part

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        key = keep_api_key(load_part(DatabaseSettings).url.get_secret_value(), read_kept_key(folder))
    except (SettingsError, ProcessError) as error:
        sys.exit(f"first key: {error}")
    write(folder / KEY_FILE, f"{key.token}\n")
