"""Keep valid API keys in a folder: `python -m infra.containers.first_key FOLDER`, after the migrations."""

import sys
from pathlib import Path

from infra.containers.make_secrets import write
from infra.local.installation import keep_admin_key, keep_api_key
from infra.local.kept_key import ADMIN_FILE, KEY_FILE, read_kept_key
from infra.local.process import ProcessError
from shared.settings import DatabaseSettings, SettingsError, load_part

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        url = load_part(DatabaseSettings).url.get_secret_value()
        key = keep_api_key(url, read_kept_key(folder))
        admin = keep_admin_key(url, read_kept_key(folder, ADMIN_FILE))
    except (SettingsError, ProcessError) as error:
        sys.exit(f"first key: {error}")
    write(folder / KEY_FILE, f"{key.token}\n")
    write(folder / ADMIN_FILE, f"{admin.token}\n")
