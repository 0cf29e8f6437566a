"""MLflow: a view of the step store, by fingerprint, that can be made again at any time (DESIGN §7).

What a run is to show is plain data (:mod:`orchestrator.tracking.content`), made of a plan and its
store alone (:mod:`orchestrator.tracking.study_runs`); one writer brings MLflow up to it. Everything
is logged from the driver. A run that exists already is updated, never added again.
"""

from orchestrator.tracking.background import BackgroundTracking
from orchestrator.tracking.names import common_tags, flat_names, settings_of
from orchestrator.tracking.tracker import Tracker

__all__ = ["BackgroundTracking", "Tracker", "common_tags", "flat_names", "settings_of"]
