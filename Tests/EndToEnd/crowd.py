"""Clients that act at once, each doing one thing after another."""

from __future__ import annotations

import threading
from collections.abc import Callable

from deploy.demo.client import Client

from .harness import World


class Crowd:
    """Threads that share a client. The first one that fails ends the others' work, and the test at `finish`."""

    def __init__(self, world: World, patience: float) -> None:
        self.client = Client(world.stack.gateway_url, world.stack.demo_key, patience=patience)
        self.patience = patience
        self.errors: list[str] = []
        self.enough = threading.Event()
        self.threads: list[threading.Thread] = []

    def begin(self, *stories: Callable[[], object]) -> None:
        """Plays each story again and again in a thread of its own."""
        begun = [threading.Thread(target=self.repeat, args=(story,), daemon=True) for story in stories]
        self.threads += begun
        for thread in begun:
            thread.start()

    def finish(self) -> None:
        """Lets every client end the story at hand. Fails when one gave up or hangs."""
        self.enough.set()
        for thread in self.threads:
            thread.join(self.patience)
            assert not thread.is_alive(), "a client hangs"
        assert not self.errors, "\n".join(self.errors[:5])

    def repeat(self, story: Callable[[], object]) -> None:
        while not self.enough.is_set() and not self.errors:
            try:
                story()
            except Exception as error:  # told to the test, which runs in another thread
                self.errors.append(f"{type(error).__name__}: {error}")
