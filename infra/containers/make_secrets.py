"""Generate all passwords of a platform in containers once: `python -m infra.containers.make_secrets FOLDER`.

Each consumer has a folder of its own, which is a volume that no other container mounts. The files can be read
by every user, because the images of the servers run as different ones; the volumes keep the secrets apart.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe

from infra.local.postgres import DATABASE, OWNER, SERVICES, SUPERUSER

PASSWORDS = "passwords.json"
NAMES = ("superuser", "owner", "services", "reader", "valkey", "rabbitmq", "s3", "tokenizer", "grafana")
S3_ACCESS_KEY_ID = "luminary"
SECRET_BYTES = 32


def make_secrets(folder: Path) -> list[str]:
    """Write what is missing below `folder`; return the names of the new passwords."""
    keeper = folder / "setup" / PASSWORDS
    kept: dict[str, str] = json.loads(keeper.read_text()) if keeper.exists() else {}
    new = {name: token_urlsafe(SECRET_BYTES) for name in NAMES if name not in kept}
    passwords = {**kept, **new}
    for place, text in {f"setup/{PASSWORDS}": json.dumps(passwords), **files(passwords)}.items():
        write(folder / place, text)
    return sorted(new)


def files(passwords: Mapping[str, str]) -> dict[str, str]:
    """The content of each file by its path, which begins with the consumer's name."""
    valkey = f"redis://:{passwords['valkey']}@valkey:6379"
    identity = {
        "name": "luminary",
        "credentials": [{"accessKey": S3_ACCESS_KEY_ID, "secretKey": passwords["s3"]}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    return {
        "setup/superuser_url": postgres_url(SUPERUSER, passwords["superuser"], "postgres"),
        "setup/owner_url": postgres_url(OWNER, passwords["owner"], DATABASE),
        "services/database_url": postgres_url(SERVICES, passwords["services"], DATABASE),
        "services/valkey_url": f"{valkey}/0",
        "services/rabbitmq_url": f"amqp://luminary:{passwords['rabbitmq']}@rabbitmq:5672//",
        "services/redis_url": f"{valkey}/1",
        "services/s3_access_key_id": S3_ACCESS_KEY_ID,
        "services/s3_secret_access_key": passwords["s3"],
        "services/tokenizer_secret": passwords["tokenizer"],
        "tokenizer/secret": passwords["tokenizer"],
        "postgres/password": passwords["superuser"],
        "valkey/password": passwords["valkey"],
        "valkey/valkey.conf": f'requirepass {passwords["valkey"]}\nappendonly yes\nsave ""\ndir /data\n',
        "rabbitmq/rabbitmq.conf": f"default_user = luminary\ndefault_pass = {passwords['rabbitmq']}\n",
        "s3/s3.json": json.dumps({"identities": [identity]}),
        "grafana/password": passwords["grafana"],
        "grafana/database_password": passwords["reader"],
    }


def postgres_url(role: str, password: str, database: str) -> str:
    """The address of the database for a role, by the name of its container."""
    return f"postgresql://{role}:{password}@postgres:5432/{database}"


def write(file: Path, text: str) -> None:
    """Write the file as a whole, unless it has this content already."""
    if file.exists() and file.read_text() == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o444)
    fresh.replace(file)


if __name__ == "__main__":
    made = make_secrets(Path(sys.argv[1]))
    sys.stdout.write(f"new passwords: {', '.join(made) or 'none'}\n")
