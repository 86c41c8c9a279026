// Numbers, times and names for reading. Times are UTC, as everywhere in Stillwatch.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
// Control characters, and those that turn the direction of what follows: a name must not make the page read otherwise.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const compact = (value) => (value === null || value === undefined ? "–" : short.format(value));
export const share = (value) => `${Math.round(value * 100)}%`;

// A name as it is, with what cannot be seen written out, and cut where it is too long to read.
export function name(text, most = 80) {
  const shown = String(text).slice(0, most * 2).replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown;
}

// How rare a score is among ordinary ones: 0.999 is 1 in 1,000.
export function rarity(score) {
  if (score === null || score === undefined) return "–";
  const odds = 1 / Math.max(1 - score, 1e-6);
  return odds < 10 ? score.toFixed(2) : `1 in ${whole.format(Number(odds.toPrecision(1)))}`;
}

export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(value > 0.99 ? 4 : 2);
}

export const millis = (value) => (value === null || value === undefined ? null : typeof value === "number" ? value : Date.parse(value));

export function time(value, seconds = false) {
  const at = millis(value);
  if (at === null || Number.isNaN(at)) return "–";
  const text = new Date(at).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, seconds ? 19 : 16)}`;
}

export function day(value) {
  return time(value).slice(0, 10);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const at = Math.abs(seconds);
  if (at < 90) return `${Math.round(seconds)} s`;
  if (at < 5400) return `${Math.round(seconds / 60)} min`;
  if (at < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let left = value;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${left.toFixed(left < 10 && unit ? 1 : 0)} ${units[unit]}`;
}

// `address_prefix` as people say it.
export const words = (text) => name(String(text).replaceAll("_", " "));
