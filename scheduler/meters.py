"""The scheduler's metrics. Labels are closed sets; totals that must equal a report come from the tables."""

from prometheus_client import Counter, Gauge, Histogram

LATENESS = Histogram(
    "todoku_run_lateness_seconds",
    "From a run's time to its start",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
)
RUNS_STARTED = Counter("todoku_runs_started_total", "Runs that this scheduler started")
RUNS_ENDED = Counter("todoku_runs_ended_total", "Runs that this scheduler saw end", ["state"])
RUNS_RESUMED = Counter("todoku_runs_resumed_total", "Runs that this scheduler resumed after a suspension")
RUNS_STOPPED = Counter("todoku_runs_stopped_total", "Runs that this scheduler paused over hard bounces")
STEP_SECONDS = Histogram(
    "todoku_sweep_step_seconds",
    "Duration of a step of the sweep",
    ["step"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2, 10),
)
STEP_ERRORS = Counter("todoku_sweep_step_errors_total", "Steps of the sweep that failed", ["step"])
STOPS_CARRIED = Counter("todoku_stops_carried_total", "Stops carried into the vault")
CLOCK_RESTARTS = Counter("todoku_scheduler_clock_restarts_total", "Times that the clock had to be started anew")
QUEUED = Gauge("todoku_queued_recipients", "Recipients that wait or are worked on", ["state", "why"])
RESTRICTED = Gauge("todoku_restrictions", "Suspended or slowed sites and sources", ["kind", "imposed_by"])
JOBS = Counter("todoku_jobs_total", "Leased jobs by what came of them", ["kind", "outcome"])
AUDIENCE_MEMBERS = Counter("todoku_audience_members_total", "Members taken into audiences")
WEBHOOK_POSTS = Counter("todoku_webhook_posts_total", "Posts to webhooks by what came of them", ["outcome"])
WEBHOOKS_WAITING = Gauge("todoku_webhook_deliveries", "Notices that wait for webhooks, or were given up", ["state"])
RECOUNTED = Gauge("todoku_recounted_runs", "Runs counted anew last night")
MISCOUNTED = Gauge("todoku_miscounted_runs", "Of these, those whose figures disagree with their rows")
