"""What transports share whose ends the driver brings together."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from trainers.flat import Layout
from trainers.outer import apply_round
from trainers.settings import WarmupSettings
from trainers.warmup import LanguageEnd, RoundReport, RoundState


class DriverReduces(ABC):
    """Rounds whose shared parameters lie with the driver, which takes the outer step itself.

    Beside the state (at most three vectors) the driver needs a few chunks, however many languages
    there are: it reads their ends where they lie.

    Args:
        settings: Of the warm-up.
        layout: Of its vectors.
        threads: Of the driver that share the outer step; they change no bit.
    """

    name: str

    def __init__(self, settings: WarmupSettings, layout: Layout, threads: int = 1) -> None:
        self.settings = settings
        self.layout = layout
        self._threads = threads
        self.state: RoundState

    def begin(self, state: RoundState) -> None:
        """Start from ``state``."""
        self.state = state

    def run(self) -> RoundReport:
        """The next round."""
        ends = self.ends()
        return apply_round(self.state, ends, self.settings, self.layout, self._threads)

    def collect(self) -> RoundState:
        """The state, at once."""
        return self.state

    @abstractmethod
    def ends(self) -> Sequence[LanguageEnd]:
        """Let every language take its K steps from the state, which stays as it is."""
