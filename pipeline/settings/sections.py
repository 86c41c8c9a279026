"""Every setting, its default and its meaning, in one typed list; the reference in the docs is made from it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.event.decode import EventLimits
from pipeline.settings.alerts import AlertSettings
from pipeline.settings.section import Positive, PositiveFloat, Section, Share


class StreamSettings(Section, frozen=True):
    """The broker, the topics and the worker."""

    broker: str = "embedded"
    """`embedded`, or `kafka://host:9092[,host:9092]`."""
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    """How `kafka://` is spoken: in the clear, with TLS, with SASL, or both. With TLS the broker's
    certificate and name are checked."""
    ssl_ca_file: str = ""
    """PEM file with the authorities that the broker's certificate may be signed by; the system's when empty."""
    ssl_certificate_file: str = ""
    """PEM file with this client's own certificate, where the broker wants one (mutual TLS)."""
    ssl_key_file: str = ""
    """PEM file with its key, without a password; empty when the certificate's file holds it."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How SASL proves who this is."""
    sasl_username: str = ""
    """Who this is."""
    sasl_password_file: str = ""
    """File with the password; `STILLWATCH_BROKER_PASSWORD` does the same from the environment."""
    group: str = "stillwatch"
    """Consumer group of the workers, and the Faust application's id."""
    partitions: Positive = 8
    """Partitions of `api-calls`. Replays shard accounts by it too, so it must be the number the topic has."""
    replication: Positive = 1
    """Copies of each topic's partitions; 3 on a production cluster."""
    retention_hours: Positive = 168
    """How long `api-calls`, `api-calls.rejected` and `account-signals` keep records."""
    incidents_retention_hours: Positive = 2160
    """How long `incidents` keeps records."""
    api_calls_topic: str = "api-calls"
    """Topic of the events."""
    rejected_topic: str = "api-calls.rejected"
    """Topic of what could not be used."""
    signals_topic: str = "account-signals"
    """Topic of what accounts share, hour by hour, re-keyed by link."""
    incidents_topic: str = "incidents"
    """Topic of every change of an incident."""
    max_batch_events: Positive = 20_000
    """Most events of one partition that are processed at once."""
    max_batch_bytes: Positive = 8 << 20
    """Most bytes fetched of one partition at once."""
    max_queued_batches: Positive = 4
    """Fetched batches that may wait for the engine; then fetching stops."""
    checkpoint_s: PositiveFloat = 30.0
    """Seconds after which a partition's state is written to the store and its offset committed; what a crash makes the next
    worker do again, at most."""
    states_kept_days: Annotated[int, Meta(ge=0)] = 14
    """Days of event time of each of which a whole state of every partition is kept, for replays to start from; 0 for the newest
    only. A state takes some 300 bytes an account."""
    feedback_s: PositiveFloat = 30.0
    """Seconds after which the worker reads suppressions and verdicts from the store anew."""
    idle_s: Annotated[float, Meta(ge=0)] = 60.0
    """Seconds without an event after which time passes in a partition by itself, so that its windows close; 0 for never. What
    comes later than that and `engine.allowed_lateness_s` is late, so more than senders are ever held up."""
    reject_share_limit: Share = 0.5
    """The worker stops when more than this share of recent records is rejected: a wrong deployment, not bad records."""
    reject_share_window: Positive = 10_000
    """Recent records that `reject_share_limit` looks at; at least a tenth of it must have been seen."""
    connect_patience_s: PositiveFloat = 60.0
    """Seconds to wait for a broker or store that is not there at start."""
    session_timeout_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    """Seconds after which a worker not heard of loses its partitions; Apache Kafka allows 6 or more. With the embedded
    broker at most 4, since its first join takes half of it."""
    web_port: Annotated[int, Meta(ge=0, le=65535)] = 6066
    """Port of the worker's web page with `/health` and `/metrics`; 0 for any free one."""
    web_host: str = "127.0.0.1"
    """Address that the worker's web page listens on."""
    log_format: Literal["text", "json"] = "text"
    """The worker's log on standard error: lines for people, or one JSON object a line."""


class StoreSettings(Section, frozen=True):
    """ClickHouse."""

    address: str = "chdb:.stillwatch/store"
    """`chdb:FOLDER`, `clickhouse://user@host:8123/stillwatch` or `clickhouses://` with TLS. Never a password."""
    password_file: str = ""
    """File with the password; `STILLWATCH_STORE_PASSWORD` does the same from the environment."""
    cluster: Annotated[str, Meta(pattern=r"^([A-Za-z_][A-Za-z0-9_-]{0,63})?$")] = ""
    """Name of the ClickHouse cluster that `stillwatch migrate` makes the tables on, with engines that replicate; empty for a
    single server. See docs/deployment.md."""
    insert_max_rows: Positive = 100_000
    """Rows of one table that wait at most before they are inserted."""
    insert_max_seconds: PositiveFloat = 1.0
    """Seconds that a row waits at most before it is inserted."""
    answer_timeout_s: PositiveFloat = 60.0
    """Seconds that the worker waits for the answer to an insert before it sends it again."""
    retry_max_seconds: PositiveFloat = 300.0
    """Seconds that an insert is tried again before the worker gives up; offsets are not committed meanwhile."""
    http_port: Annotated[int, Meta(ge=0, le=65535)] = 8124
    """Port on loopback at which a worker that holds an embedded store answers SQL as a ClickHouse server does, read only;
    another where it is taken; 0 for none. See docs/sql.md."""
    http_password_file: str = ""
    """File with the password that clients must give there (user `default`); `STILLWATCH_HTTP_PASSWORD` does the same from the
    environment. None by default: every program on this machine may read."""
    http_max_seconds: PositiveFloat = 60.0
    """Longest time of a query there."""
    http_max_rows: Positive = 1_000_000
    """Most rows of an answer there."""
    http_max_memory_bytes: Positive = 1 << 30
    """Most memory that a query takes there."""


class DetectorSettings(Section, frozen=True):
    """One detector: a model, what it sees, and how far it is shared."""

    name: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z0-9_]+$")]
    """Stands in reasons and metrics; unique."""
    model: str = "stillwatch.PeerLocationScale"
    """A model of Stillwatch (`stillwatch.PeerLocationScale`, `stillwatch.Novelty`), or any anomaly detector of River
    (`river.anomaly.HalfSpaceTrees`)."""
    on: str = "window"
    """`event` or `window`."""
    window_s: int = 0
    """For `window`: 60, 600, 3600 or 86400."""
    features: tuple[str, ...] = ()
    """Features the model sees, in this order; a supervised model takes the last as its target."""
    scope: str = "account"
    """`account`: one model per account; `partition`: one model for all accounts of a partition."""
    fill_zeros: bool = True
    """Windows without a call are learnt as zeros (the latest 168 at most)."""
    parameters: dict[str, bool | int | float | str] = msgspec.field(default_factory=dict)
    """Keyword arguments of the model."""
    scaler: str = ""
    """A scaler of River put before the model (`river.preprocessing.StandardScaler`)."""


class SuppressionSettings(Section, frozen=True):
    """Accounts whose hours open no incident for a time, unless they show far more. See docs/tuning.md."""

    account: Annotated[str, Meta(min_length=1, max_length=1024)]
    """The account, or a pattern of accounts: `*` any characters, `?` one, `[ab]` one of them."""
    until: Annotated[datetime, Meta(tz=True)]
    """Event time at which it ends; there is none that does not end."""
    since: Annotated[datetime, Meta(tz=True)] | None = None
    """Event time at which it begins; the beginning of all events when left out."""
    kinds: tuple[Literal["volume", "diversity", "novelty", "elicitation", "rhythm", "errors"], ...] = ()
    """Kinds of incidents; all when empty."""
    above: PositiveFloat = 7.0
    """Evidence from here on opens an incident all the same; 7 is odds of 1,100 to 1."""
    note: Annotated[str, Meta(max_length=2000)] = ""
    """Why; it stands by what was suppressed."""


class IncidentSettings(Section, frozen=True):
    """When an account's hours become an incident, and when it ends."""

    detector: str = "extraction"
    """The detector of hours whose raw score is the evidence: ln(1 + odds) of extraction."""
    alerts_per_1000_account_days: PositiveFloat = 0.4
    """The alert budget: false alerts that analysts can take for each 1,000 accounts that call on a day. It sets, by the
    tail of what ordinary accounts show, how much evidence opens an incident."""
    open_at: PositiveFloat = 2.5
    """The least evidence that opens an incident, however calm the traffic; 2.5 is odds of 11 to 1."""
    open_at_most: PositiveFloat = 4.5
    """The most evidence that the budget may ask for, and what it takes until the traffic is known."""
    unknown_past: Annotated[float, Meta(ge=0)] = 4.0
    """Nats more that an account has to show which was there when its partition began to be watched, since nobody knows what is
    ordinary for it; less by a factor of e with each week."""
    close_at: Annotated[float, Meta(ge=0)] = 1.0
    """Hours with less evidence than this do not keep an incident open; lower than `open_at`."""
    quiet_s: Positive = 172_800
    """Seconds without such an hour after which an incident closes."""
    minimum_calls: Annotated[int, Meta(ge=0)] = 20
    """Calls an account must have made before it can have an incident."""
    suppressions: tuple[SuppressionSettings, ...] = ()
    """What opens no incident, beside what `stillwatch suppress` has put in the store."""
    threshold_shift: float = 0.0
    """Added to what the budget asks for, within `open_at` and `open_at_most`, in nats; what verdicts say is added too."""
    verdict_gain: Annotated[float, Meta(ge=0, le=2)] = 0.25
    """How far analysts' verdicts move the threshold: nats per factor of e between false alerts beyond the budget and extraction
    that was missed; 0 for not at all, and never more than 1 nat."""
    verdict_margin_days: Annotated[int, Meta(ge=0, le=400)] = 30
    """Days for which an account that was labelled honest opens no incident after the label's end."""
    verdict_margin: Annotated[float, Meta(ge=0)] = 1.5
    """Unless it shows so much more evidence, in nats, than when it was labelled."""


class EngineSettings(Section, frozen=True):
    """Windows, detectors and incidents: everything that the verdicts depend on."""

    allowed_lateness_s: Annotated[int, Meta(ge=0, le=3600)] = 120
    """Seconds of event time that the watermark stays behind the newest event."""
    idle_account_s: Positive = 2_592_000
    """Event time without a call after which an account leaves memory, once all its windows and incidents have ended; it comes
    back from the store, as it was, with its next event. The default is 30 days; the states that are kept for replays name only
    accounts in memory, so `replay run --from-snapshot` needs a stream that none has left."""
    resident_accounts: Positive = 50_000
    """Accounts of a partition that may stay in memory; beyond that those go that have been idle for longest. An account stays for
    the day, UTC, in which it calls, whatever this says."""
    deduplication_s: Positive = 86_400
    """Seconds of event time within which a second event of the same `event_id` is recognised, memory permitting."""
    deduplication_events: Annotated[int, Meta(ge=1024, le=1 << 28)] = 1 << 20
    """Most event ids remembered per partition and generation; two generations are kept."""
    reasons_from: Share = 0.95
    """Scores from here on carry reasons."""
    calibration_scores: Annotated[int, Meta(ge=100, le=1_000_000)] = 5_000
    """Latest raw scores per detector that a new one is ranked among; its score is at most 1 - 1/(this + 1)."""
    detectors: tuple[DetectorSettings, ...] = (
        DetectorSettings(
            name="answer_length",
            model="river.anomaly.GaussianScorer",
            on="event",
            features=("log_output_tokens",),
            parameters={"grace_period": 30},
        ),
        DetectorSettings(
            name="call_shape",
            on="event",
            features=("log_input_tokens", "log_output_tokens", "log_reasoning_tokens", "new_address", "new_model"),
            parameters={"half_life": 500.0, "prior": 20.0},
        ),
        DetectorSettings(
            name="minute_rate",
            model="river.anomaly.GaussianScorer",
            window_s=60,
            features=("log_output_tokens",),
            fill_zeros=False,
            parameters={"grace_period": 30},
        ),
        DetectorSettings(
            name="ten_minute_rate",
            window_s=600,
            features=("log_calls", "log_output_tokens"),
            fill_zeros=False,
            parameters={"half_life": 300.0, "prior": 20.0},
        ),
        DetectorSettings(
            name="hour_volume",
            window_s=3600,
            features=("log_output_tokens",),
            fill_zeros=False,
            parameters={"half_life": 168.0, "prior": 24.0},
        ),
        DetectorSettings(name="extraction", model="stillwatch.Extraction", window_s=3600),
        DetectorSettings(
            name="day_volume",
            window_s=86_400,
            features=("log_output_tokens",),
            parameters={"half_life": 14.0, "prior": 5.0},
        ),
    )
    """The detectors; naming any in a file replaces the list."""
    incident: IncidentSettings = IncidentSettings()
    """When an incident opens and closes."""


class CampaignSettings(Section, frozen=True):
    """When accounts that share rare values become a campaign, and when it ends. See docs/decisions/0008-campaigns.md."""

    minimum_members: Annotated[int, Meta(ge=2)] = 4
    """Accounts of different organisations and means of payment that a campaign begins with, at least."""
    open_at: PositiveFloat = 12.0
    """Evidence in nats that opens a campaign: rarity of what its members share, and how they behave together."""
    popular_share: Annotated[float, Meta(gt=0, le=0.5)] = 0.05
    """A value that more than this share of the active accounts use links nobody."""
    warm_up_hours: Positive = 24
    """Event hours that must have been seen before a campaign opens: until then nobody knows what is popular."""
    quiet_hours: Positive = 72
    """Event hours without a call of a member after which a campaign closes."""
    memory_days: Positive = 28
    """Days for which what a campaign's members shared is remembered after it was last used, so that new members rejoin."""
    idle_s: PositiveFloat = 7200.0
    """Seconds for which a partition of `api-calls` may tell nothing while others go on before campaigns no longer wait for it.
    More than an hour, since a partition tells of an hour when the hour has ended."""


class Settings(Section, frozen=True):
    """All settings."""

    stream: StreamSettings = StreamSettings()
    store: StoreSettings = StoreSettings()
    event: EventLimits = EventLimits()
    engine: EngineSettings = EngineSettings()
    campaigns: CampaignSettings = CampaignSettings()
    alerts: AlertSettings = AlertSettings()
