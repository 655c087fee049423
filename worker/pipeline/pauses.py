"""What a worker waits for, and how long, before it tries its servers again."""

from tenacity import RetryCallState, wait_random_exponential

from repository.database import ACCESS_FAULTS
from worker.pipeline.trouble import AWAY

PAUSE_SECONDS = 0.2  # grows with each probe that fails, with jitter
PAUSE_SECONDS_MAX = 5.0  # work goes on within 10 of a server's return, and a probe takes time itself
SESSION_SECONDS_MIN = 5.0  # one that ends sooner counts as a probe that failed
RELAPSE_SECONDS = 0.5  # doubled with each
RELAPSE_SECONDS_MAX = 60.0


class Pauses:
    """Goes by what sessions came to."""

    def __init__(self) -> None:
        self._has_worked = False
        self.were_any = False
        self._relapses = 0  # sessions in a row that ended in seconds and had carried out nothing
        self._wait = wait_random_exponential(multiplier=PAUSE_SECONDS, max=PAUSE_SECONDS_MAX)

    def servers_are_there(self) -> None:
        self._has_worked = True

    def session_ended(self, after_seconds: float, *, has_worked: bool) -> None:
        """Hear that a session, for which the servers were there, ended for a fault of theirs."""
        self.were_any = True
        is_relapse = not has_worked and after_seconds < SESSION_SECONDS_MIN
        self._relapses = self._relapses + 1 if is_relapse else 0

    def wait_for(self, error: BaseException) -> bool:
        """Whether a fault may pass while we wait. A URL that never let us in is wrong: whoever starts us reads why."""
        may_pass = isinstance(error, AWAY) and (self._has_worked or not isinstance(error, ACCESS_FAULTS))
        self.were_any |= may_pass
        return may_pass

    def seconds(self, state: RetryCallState) -> float:
        """Wait as long as a server may take to come back; if it fell back at once again and again, for longer."""
        relapse = min(RELAPSE_SECONDS * 2**self._relapses, RELAPSE_SECONDS_MAX) if self._relapses else 0.0
        return max(relapse, self._wait(state))
