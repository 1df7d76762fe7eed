"""Does what comes from strangers run in a cage here: what holds a process that fetches, and who looks names up."""

import os
from collections.abc import Iterator, Mapping

from curation.fetch.failures import FetchFailure
from curation.fetch.holding import Holds, what_holds
from curation.home.folder import Home
from flows.findings import Finding, State

PART = "fetch cage"
NAMES = frozenset({"http_proxy", "https_proxy", "all_proxy"})

LACKS: Mapping[str, tuple[str, str]] = {
    "network": (
        "whoever takes over a process that fetches could connect to anything, services of this machine too; what is "
        "left is that Python refuses it to libraries",
        "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0; a container needs a seccomp profile that allows unshare), "
        "or run where a firewall lets only public addresses through",
    ),
    "reading": (
        "whoever takes over a process that fetches could read what you may read: the ledger, keys, other videos",
        "run Linux 5.13 or newer with `landlock` in /sys/kernel/security/lsm (boot with lsm=landlock,...; a container "
        "needs a seccomp profile that allows landlock_*), or curate as a user who owns nothing else",
    ),
    "emptying": (
        "whoever takes over a process that fetches could empty files that he cannot read",
        "run Linux 6.2 or newer (Landlock's third version), or curate as a user who owns nothing else",
    ),
    "memory": (
        "a manifest can take all memory before its process is ended: the kernel does not hold its address space",
        "run on a kernel that keeps RLIMIT_AS, or limit the whole: "
        "systemd-run --user --scope -p MemoryMax=8G clapboard ...",
    ),
}
"""By what does not hold: what that means, and what mends it."""


def examine_cage(home: Home) -> list[Finding]:
    """One finding if the cage is whole, else one for each thing that does not hold; and one about proxies."""
    try:
        holds = what_holds(home.root if home.root.is_dir() else None)
    except (FetchFailure, OSError) as error:
        why = error.detail if isinstance(error, FetchFailure) else str(error)
        remedy = "see that this user may start processes and write to TMPDIR and to the home"
        return [Finding(PART, State.BLOCKED, why, remedy), proxies(os.environ)]
    return [*cage(holds), proxies(os.environ)]


def cage(holds: Holds) -> Iterator[Finding]:
    """What to say of what holds."""
    lacks = {name: words for name, words in LACKS.items() if not getattr(holds, name)}
    if not lacks:
        whole = "links are fetched in processes without a network, without other files, and with a limit on memory"
        yield Finding(PART, State.OK, whole)
    for name, (found, remedy) in lacks.items():
        yield Finding(f"{PART}: {name}", State.LACKING, found, remedy)


def proxies(variables: Mapping[str, str]) -> Finding:
    """What proxies that the environment names mean; of their links nothing is shown, they may hold passwords."""
    named = sorted(name for name, link in variables.items() if link and name.lower() in NAMES)
    if not named:
        return Finding("proxies", State.OK, "the environment names none: names are looked up and checked here")
    found = (
        f"{', '.join(named)}: links are fetched without it; object stores, weights and Prefect go through it. "
        "With fetch.proxy in the recipe the proxy looks up names inside requests: only how they look is checked here"
    )
    remedy = "where links need it, set fetch.proxy, and have the proxy itself refuse addresses that are not public"
    return Finding("proxies", State.LACKING, found, remedy)
