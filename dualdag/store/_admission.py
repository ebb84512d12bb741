"""Who may add to a signed store: a run without its key would add what nobody else accepts.

This keeps mistakes away, not attackers: whoever can write to the place can write anything there.
"""

from __future__ import annotations

import re
import time

from dualdag.errors import UntrustedRecordError
from dualdag.store._facts import Signs
from dualdag.store._fs import FileSystem, shown
from dualdag.store._sealer import Sealer

__all__ = ["admit"]

_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def admit(fs: FileSystem, sealer: Sealer) -> None:
    """Make sure that what `sealer` writes is what readers of the store accept, and name its key there.

    Parameters
    ----------
    fs : FileSystem
        Where the store lies.
    sealer : Sealer
        Of the process that is about to write.

    Raises
    ------
    UntrustedRecordError
        When others sign, with other keys.
    """
    if sealer.anyhow:
        return
    signers = {name for name in fs.names("keys") if _ID.fullmatch(name)}
    ours = [key.id.hex() for key in sealer.keys]
    if signers and not signers.intersection(ours):
        which = f"signed with key {', '.join(sorted(signers))}"
        todo = (
            f"this secret is key {ours[0]}. To change keys give both, the new one first: DUALDAG_SECRET=new,old"
            if ours
            else "no secret is set. Set DUALDAG_SECRET, or DUALDAG_TRUST=unsigned to add what those with the secret "
            "do not accept"
        )
        raise UntrustedRecordError(f"store {shown(fs.url)} is {which}, and {todo}.")
    if sealer.trust == "require" and ours[0] not in signers:
        path = f"keys/{ours[0]}"
        fs.put_if_absent(path, [sealer.seal(Signs(time.time()), path)])
