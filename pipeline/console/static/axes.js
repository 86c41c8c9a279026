// Steps of axes, and the colours that the style sheet has for charts.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Three or four round numbers up to `high`.
export function niceSteps(high) {
  const power = 10 ** Math.floor(Math.log10(high || 1));
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2, 2.5].map((part) => part * power).find((one) => high / one <= 4.2) || power;
  const found = [];
  for (let value = 0; value <= high; value += step) found.push(value);
  return found;
}

export function timeSteps(from, to, width) {
  const most = Math.max(2, Math.floor(width / 76));
  const step = STEPS.find((one) => (to - from) / one <= most) || STEPS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) {
    const date = new Date(at);
    const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
    const clock = date.toISOString().slice(11, 16);
    found.push([at, step >= DAY || clock === "00:00" ? day : clock]);
  }
  return found;
}

// Custom properties as colours that a canvas takes: they are asked of an element, which knows whether it is light or dark.
export function ink(element) {
  const probe = document.createElement("i");
  probe.hidden = true;
  element.append(probe);
  const found = {};
  for (const name of ["ink", "muted", "grid", "data", "faint", "beyond", "band", "span", "second"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
