"""Looking at the machine that this process is on; nothing is started for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache

from distml.cluster import nodes, working_dir
from distml.cluster.capacity import Node
from distml.config import RunConfig
from distml.lifecycle.doctor import access, machine, places, ports, software
from distml.lifecycle.doctor.check import Check, guarded
from distml.lifecycle.doctor.listeners import listeners
from distml.lifecycle.doctor.question import Question
from distml.sizes import size
from distml.storage import Storage

_SHRINK = "list what a job doesn't need in .rayignore there, or start commands with --address in a smaller folder"


def look_here(question: Question) -> list[Check]:
    """All that a command without a cluster needs."""
    root = question.storage or Storage(RunConfig.model_fields["storage"].default).root
    told, known = cache(lambda: nodes.this_machine().nodes[0]), cache(listeners)
    return [
        *machine_checks(told, tempfile.gettempdir(), root),
        *guarded("storage", lambda: places.storage(root)),
        *guarded("endpoint's port", lambda: endpoint(question)),
        *guarded("head's ports", lambda: ports.head_ports(known())),
        *guarded("authentication", lambda: access.other_clusters(known())),
        *guarded("tokens", lambda: access.tokens(question.auth)),
        *command_checks(question, root, in_cluster=False),
    ]


def command_checks(question: Question, root: str | None, *, in_cluster: bool) -> list[Check]:
    """What concerns the process that carries out a command, wherever its nodes are."""
    return [
        *guarded("token", lambda: access.token(is_needed=in_cluster)),
        *guarded("tracking", lambda: places.tracking(question.tracking_uri, root)),
        *guarded("working directory", lambda: directory(question)),
    ]


def machine_checks(told: Callable[[], Node], spill_folder: str, root: str | None) -> list[Check]:
    """Of one machine. told: what Ray knows, or would, of it; root: of storage."""
    is_local = root is not None and "://" not in root
    return [
        *guarded("python", software.python),
        *guarded("packages", software.packages),
        *guarded("haproxy", software.proxy),
        *guarded("gpu", lambda: machine.gpus(told())),
        *guarded("shared memory", lambda: machine.shared_memory(told())),
        *guarded("memory", machine.memory),
        *guarded("disk for Ray", lambda: machine.spill_disk(spill_folder)),
        *(guarded("disk for storage", lambda: machine.storage_disk(root or "")) if is_local else []),
    ]


def endpoint(question: Question) -> Check:
    served = ports.served_ports(question.storage)
    return ports.endpoint(question.host, question.port, listeners(), served, is_named=question.is_of_config)


def directory(question: Question) -> Check:
    """The folder that a job would take along from here."""
    found = working_dir.size(".", working_dir.excludes(".", question.own))
    if found.fits:
        return Check(name="working directory", state="ok", found=f"a job takes along {found.in_words()}")
    told = f"{found.in_words()}, past the {size(working_dir.LIMIT_BYTES)} that a job takes along; "
    told += f"largest: {found.largest_in_words()}"
    return Check(name="working directory", state="warn", found=told, remedy=_SHRINK)
