"""What one field's type cannot say: settings that must fit each other."""

from collections.abc import Iterator

from pipeline.settings.alerts import mistakes_in_alerts
from pipeline.settings.sections import DetectorSettings, Settings

#: Lengths of the tumbling windows in seconds.
WINDOWS_S = (60, 600, 3600, 86_400)
HOUR_S = 3600
#: The model that names its own features.
_OWN_FEATURES = ("stillwatch.Extraction",)


def mistakes_in(settings: Settings) -> Iterator[str]:
    """Yield one line for each contradiction in `settings`."""
    incident = settings.engine.incident
    if incident.close_at >= incident.open_at:
        yield f"engine.incident.close_at: {incident.close_at} is not below open_at, {incident.open_at}"
    if incident.open_at > incident.open_at_most:
        yield f"engine.incident.open_at: {incident.open_at} is above open_at_most, {incident.open_at_most}"
    for index, one in enumerate(incident.suppressions):
        if one.since is not None and one.since >= one.until:
            yield f"engine.incident.suppressions[{index}] ({one.account}): since is not before until"
    hours = [one.name for one in settings.engine.detectors if one.on == "window" and one.window_s == HOUR_S]
    if incident.detector not in hours:
        there = ", ".join(hours) or "none; add one with window_s = 3600"
        yield f"engine.incident.detector: no detector of hours is named {incident.detector!r}; there are: {there}"
    names: set[str] = set()
    for index, detector in enumerate(settings.engine.detectors):
        where = f"engine.detectors[{index}] ({detector.name})"
        if detector.name in names:
            yield f"{where}: the name is taken by another detector"
        names.add(detector.name)
        yield from (f"{where}: {mistake}" for mistake in _mistakes_in_detector(detector))
    if not settings.engine.detectors:
        yield "engine.detectors: is empty; name at least one"
    topics = settings.stream
    if topics.security.startswith("sasl") and not topics.sasl_username:
        yield f"stream.sasl_username: is empty, and stream.security is {topics.security}"
    if topics.security != "plaintext" and topics.broker == "embedded":
        yield f"stream.security: is {topics.security}, which the embedded broker does not speak; name one with kafka://"
    if topics.ssl_certificate_file and not topics.security.endswith("ssl"):
        yield f"stream.ssl_certificate_file: has no use while stream.security is {topics.security}"
    named = [topics.api_calls_topic, topics.rejected_topic, topics.signals_topic, topics.incidents_topic]
    if len(set(named)) < len(named):
        yield f"stream: the four topics need four names, got {', '.join(named)}"

    yield from mistakes_in_alerts(settings.alerts)


def _mistakes_in_detector(detector: DetectorSettings) -> Iterator[str]:
    # The names of features and the models are looked up where they are defined, by pipeline.detectors.build.
    if detector.on not in ("event", "window"):
        yield f"on is {detector.on!r}, must be event or window"
    if detector.on == "window" and detector.window_s not in WINDOWS_S:
        yield f"window_s is {detector.window_s}, must be one of {', '.join(map(str, WINDOWS_S))}"
    if detector.on == "event" and detector.window_s:
        yield "window_s is for detectors on windows"
    if detector.scope not in ("account", "partition"):
        yield f"scope is {detector.scope!r}, must be account or partition"
    if not detector.features and detector.model not in _OWN_FEATURES:
        yield "features is empty; name at least one"
