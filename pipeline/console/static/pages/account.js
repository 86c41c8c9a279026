// One account: since when, how much, why, and with whom.

import { ask, session } from "../api.js";
import { chart } from "../chart.js";
import { h, widget } from "../dom.js";
import { compact, count, millis, name, rarity, score, share, time, words } from "../format.js";
import { accountLink, chip, choice, evidence, facts, id, nothing, reasons, select, severity, table, when } from "../parts.js";
import { change, link } from "../route.js";
import { labelDialog, suppressDialog } from "../decide.js";

const LENGTHS = [[60, "1 min"], [600, "10 min"], [3600, "1 hour"], [86400, "1 day"]];
const DAY = 86_400_000;
const TENS = [[0, "0"], [10, "10"], [100, "100"], [1e3, "1K"], [1e4, "10K"], [1e5, "100K"], [1e6, "1M"], [1e7, "10M"], [1e8, "100M"]];
const NINES = [[0, "0"], [0.9, "0.9"], [0.99, "0.99"], [0.999, "0.999"], [0.9999, "0.9999"]];

export const title = ({ id: account = "" }) => `Account ${name(account, 60)}`;

export async function load({ run, id: account = "", window = 3600, from, to }, signal) {
  const which = { run, id: account };
  const [about, series] = await Promise.all([
    ask("account", which, signal),
    ask("account/series", { ...which, window, from, to }, signal),
  ]);
  return { about, series, cursor: new Set(), links: null };
}

// What takes longer comes after the page is there.
export const later = async ({ run, id: account = "" }, data, signal) => ({ ...data, links: await ask("account/links", { run, id: account }, signal) });

export function view({ about, series, cursor, links }, given) {
  const own = about.incidents.filter((one) => one.entity_type === "account");
  const tokens = about.days.reduce((sum, one) => sum + one.output_tokens, 0);
  return [
    h("div.head", null,
      h("h1", { tabindex: -1 }, "Account ", id(about.account_id, 200)),
      !session.readOnly && h("div.actions", null,
        h("button", { type: "button", onclick: () => labelDialog(about.account_id), "data-key": "l" }, "Label…"),
        h("button", { type: "button", onclick: () => suppressDialog(about.account_id), "data-key": "s" }, "Suppress…"))),
    h("p.chips", null,
      own.some((one) => one.status === "open") && chip("open incident", "critical"),
      about.campaigns.map((one) => h("a.chip.high", { href: link("campaign", { id: one }) }, "member of a campaign")),
      about.labels.map((one) => chip(`labelled ${name(one.kind, 40)}`, "plain", `${name(one.source, 40)} ${name(one.note, 200)}`)),
      about.suppressed.length > 0 && chip("suppressed", "plain")),
    facts([
      ["calls", count(about.span?.calls)],
      ["output tokens", count(tokens)],
      ["drawn in incidents", count(own.reduce((sum, one) => sum + one.output_tokens, 0))],
      ["rarest score", h("span", { title: score(about.span?.peak) }, rarity(about.span?.peak))],
      about.span && ["seen", `${time(about.span.from_ms).slice(0, 10)} to ${time(about.span.to_ms - 1).slice(0, 10)}`],
    ]),
    incidentsOf(about.incidents),
    charts(series, about, given, cursor),
    neighbours(about, links),
    standOut(about.windows),
  ];
}

function incidentsOf(list) {
  if (!list.length) return h("section", null, h("h2", null, "Incidents"), nothing("None in this run."));
  return h("section", null, h("h2", null, "Incidents"), list.map((one) =>
    h("article.incident", { key: one.incident_id },
      h("p", null, severity(one.severity), " ", h("a", { href: link("incident", { id: one.incident_id }) }, words(one.kind)),
        ` ${one.entity_type === "campaign" ? "of its campaign, " : ""}${name(one.status, 20)}, since `, when(one.opened_at), ", detected ", when(one.detected_at),
        `, ${count(one.output_tokens)} output tokens`, one.acknowledged && [" ", chip("acknowledged", "done")]),
      reasons(one.reasons))));
}

function charts(series, about, given, cursor) {
  const { windows, scores, from, to } = series;
  if (!windows.t?.length && !scores.t?.length) return h("section", null, h("h2", null, "Over time"), nothing("Nothing was seen of it in this time."));
  const width = series.window * 1000;
  const spans = about.incidents.map((one) => [millis(one.opened_at), millis(one.last_seen_at)]);
  const zoom = (begin, end) => change({ from: begin === null ? "" : Math.max(0, begin), to: end === null ? "" : end });
  const common = { from, to, spans, zoom, cursor };
  const usual = (at) => (windows.high[at] === null ? [] : [`usual ${compact(windows.low[at])} to ${compact(windows.high[at])}`]);
  return h("section", { key: "charts" },
    h("div.head", null,
      h("h2", null, "Over time"),
      choice("Length of a window", LENGTHS, series.window, (value) => change({ window: value })),
      choice("Scale of tokens", [["", "linear"], ["log", "log"]], given.scale || "", (value) => change({ scale: value })),
      select("of", ranges(about), rangeOf(given, about), (value) => {
        const [begin, end] = value ? value.split("-") : ["", ""];
        change({ from: begin, to: end });
      })),
    h("p.lead", null, "The band and its line are what was usual: the middle four fifths of the 300 windows before, without those in incidents, which are shaded. Red is above it. Drag or press + to zoom, 0 to see all."),
    h("h3", null, "Output tokens"),
    widget("div.chart", { key: "tokens" }, chart, {
      ...common, ...(given.scale === "log" ? { scale: (value) => Math.log10(1 + value), ticks: TENS } : {}), label: "Output tokens over time", t: windows.t, width,
      layers: [
        { kind: "bars", values: windows.output_tokens, usual: windows.high },
        { kind: "band", values: windows.low, high: windows.high },
        { kind: "line", values: windows.middle, colour: "second" },
      ],
      told: (at) => [`${count(windows.output_tokens[at])} output tokens`, ...usual(at)],
    }),
    h("h3", null, "Calls"),
    widget("div.chart.low", { key: "calls" }, chart, {
      ...common, label: "Calls over time", t: windows.t, width,
      layers: [{ kind: "bars", values: windows.calls }],
      told: (at) => [`${count(windows.calls[at])} calls`, `${count(windows.errors[at])} errors`],
    }),
    h("h3", null, "Scores of calls"),
    widget("div.chart.low", { key: "scores" }, chart, {
      ...common, label: "Scores of calls over time", t: scores.t, width: 0,
      scale: nines, range: [0, 4.3], ticks: NINES,
      layers: [{ kind: "dots", values: scores.score, above: 0.99 }],
      told: (at) => [`score ${score(scores.score[at])}`, rarity(scores.score[at])],
    }),
    asTable(series, about));
}

const nines = (value) => -Math.log10(Math.max(1 - value, 5e-5));

function ranges(about) {
  const found = [["", "all that was seen"]];
  if (about.span) for (const days of [1, 7]) found.push([`${about.span.to_ms - days * DAY}-${about.span.to_ms}`, `the latest ${days === 1 ? "day" : `${days} days`}`]);
  for (const one of about.incidents.slice(0, 3)) {
    found.push([`${millis(one.opened_at) - DAY}-${Math.max(millis(one.last_seen_at), millis(one.detected_at)) + DAY}`, `the incident of ${time(one.opened_at).slice(0, 10)}`]);
  }
  return found;
}

function rangeOf({ from, to }, about) {
  const text = from && to ? `${from}-${to}` : "";
  return ranges(about).some(([value]) => value === text) ? text : "";
}

// The same for those who read tables: windows where there are few, days otherwise.
function asTable({ windows, window: length }, about) {
  const few = windows.t.length <= 300;
  const columns = few
    ? [
        { head: "window", cell: (at) => time(windows.t[at]) },
        { head: "calls", kind: "number", cell: (at) => count(windows.calls[at]) },
        { head: "output tokens", kind: "number", cell: (at) => count(windows.output_tokens[at]) },
        { head: "usual, at most", kind: "number", cell: (at) => count(windows.high[at]) },
        { head: "score", kind: "number", cell: (at) => score(windows.score[at]) },
      ]
    : [
        { head: "day", cell: (one) => one.day },
        { head: "calls", kind: "number", cell: (one) => count(one.calls) },
        { head: "output tokens", kind: "number", cell: (one) => count(one.output_tokens) },
        { head: "errors", kind: "number", cell: (one) => count(one.errors) },
        { head: "peak score", kind: "number", cell: (one) => score(one.peak_score) },
      ];
  const caption = few ? `Windows of ${length} seconds` : "Days of the account";
  return h("details", { key: "table" }, h("summary", null, "As a table"), table(caption, columns, few ? [...windows.t.keys()] : about.days));
}

function neighbours(about, links) {
  return h("section", { key: "neighbours" }, h("h2", null, "Neighbours"),
    about.company.length > 0 && table("In the same campaign", [
      { head: "account", cell: (one) => accountLink(one.account_id, 44) },
      { head: "joined", cell: (one) => when(one.joined_at) },
      { head: "linked by", cell: (one) => evidence(one.evidence) },
    ], about.company, { key: (one) => one.account_id }),
    links === null ? h("p.muted", null, "Looking for accounts that share what few use…") : links.accounts.length
      ? table(`Sharing what at most 50 accounts used in its latest ${links.days} days`, [
          { head: "account", cell: (one) => accountLink(one.account_id, 44) },
          { head: "shares", cell: (one) => one.links.slice(0, 4).map((each) => h("span.evidence", null, `${each.kind} `, id(each.value, 24), ` (${each.accounts} accounts)`)) },
        ], links.accounts, { key: (one) => one.account_id })
      : nothing("No other account used an address, a means of payment, an organisation, a key or a system prompt of its that few use."));
}

function standOut(windows) {
  if (!windows.length) return null;
  return h("section", { key: "windows" }, h("h2", null, "Windows that stand out"), table("Windows that stand out most", [
    { head: "window", cell: (one) => [when(one.window_start), ` (${LENGTHS.find(([length]) => length === one.window_s)?.[1] || ""})`] },
    { head: "tokens", kind: "number", cell: (one) => count(one.output_tokens) },
    { head: "score", kind: "number", cell: (one) => score(one.score) },
    { head: "because", cell: (one) => one.reasons.slice(0, 2).map((reason) => h("span.evidence", null, `${share(reason.share)} ${name(reason.words, 120)}`)) },
  ], windows));
}
