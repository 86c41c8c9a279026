// Replays, and runs side by side.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { count, name, rarity, time } from "../format.js";
import { chip, entityLink, id, nothing, severity, table, when } from "../parts.js";
import { change, here, to } from "../route.js";

const FIGURES = [
  ["accounts", "accounts", count],
  ["calls", "calls scored", count],
  ["incidents", "incidents", count],
  ["critical", "of them critical", count],
  ["accounts_with_incidents", "accounts with incidents", count],
  ["output_tokens_in_incidents", "output tokens in incidents", count],
  ["first_detected", "first detected", (value) => time(value)],
  ["campaigns", "campaigns", count],
  ["campaign_members", "their members", count],
  ["above_99", "calls that score 0.99 or more", (value, one) => share(value, one.calls)],
  ["above_999", "calls that score 0.999 or more", (value, one) => share(value, one.calls)],
];

export const title = () => "Replays";

const chosen = ({ compare }) => {
  try {
    const found = JSON.parse(compare || '["live"]');
    return Array.isArray(found) ? found.filter((one) => typeof one === "string").slice(0, 6) : ["live"];
  } catch {
    return ["live"];
  }
};

export const load = (given, signal) => ask("replays", { runs: JSON.stringify(chosen(given)) }, signal);

export function view({ replays, compared, settings, differences }, given) {
  const picked = chosen(given);
  const runs = [{ run_id: "live", status: "stream", source: "stream" }, ...replays];
  return [
    h("div.head", null, h("h1", { tabindex: -1 }, "Replays")),
    h("p.lead", null, "Choose up to six runs to see them side by side."),
    table("Runs", [
      { head: "compare", cell: (one) => h("input", { type: "checkbox", checked: picked.includes(one.run_id), "aria-label": `compare ${name(one.run_id, 60)}`, onchange: (event) => pick(one.run_id, event.target.checked) }) },
      { head: "run", cell: (one) => h("a", { href: to("accounts", { run: one.run_id === "live" ? "" : one.run_id, days: 31 }) }, id(one.run_id, 60)) },
      { head: "status", cell: (one) => chip(name(one.status, 20), one.status === "failed" ? "high" : one.status === "done" ? "done" : "plain") },
      { head: "made", cell: (one) => (one.created_at ? when(one.created_at) : "") },
      { head: "events from", cell: (one) => h("bdi", null, name(one.source, 60)) },
      { head: "window", cell: (one) => (one.from_time || one.to_time ? `${time(one.from_time)} to ${time(one.to_time)}` : "all") },
      { head: "version", cell: (one) => name(one.code_version || "", 20) },
    ], runs, { key: (one) => `r ${one.run_id}`, row: () => ({ "data-item": true }) }),
    !replays.length && nothing("No replay is in this store yet: stillwatch replay run --run-id NAME makes one."),
    h("h2", null, "Side by side"),
    compared.length ? side(compared) : nothing("No run is chosen."),
    compared.length > 1 && found(differences, compared),
    settings.length > 0 && [
      h("h2", null, "Settings that differ"),
      table("Settings that differ", [
        { head: "setting", cell: (row) => name(row.name, 120) },
        ...Object.keys(settings[0].values).map((run) => ({ head: name(run, 40), cell: (row) => h("bdi", null, name(value(row.values[run]), 160)) })),
      ], settings),
    ],
  ];
}

function pick(run, on) {
  // What is chosen now, which the page may not have drawn yet.
  const picked = chosen(here().given);
  const next = on ? [...picked, run].slice(-6) : picked.filter((one) => one !== run);
  change({ compare: JSON.stringify(next) });
}

function side(compared) {
  const names = [...new Set(compared.flatMap((one) => Object.keys(one.metrics)))].filter((one) => one !== "run_id").sort();
  const columns = (head) => [
    { head, cell: ([text]) => name(text, 80) },
    ...compared.map((one) => ({ head: name(one.run_id, 40), kind: "number", cell: ([, shown]) => name(shown(one), 60) })),
  ];
  return [
    table("Figures of the runs", columns("found in the tables"), FIGURES.map(([key, text, shown]) => [text, (one) => shown(one[key], one)])),
    names.length > 0 && table("What the replays recorded of themselves", columns("recorded"), names.map((key) => [key.replaceAll("_", " "), (one) => value(one.metrics[key])])),
  ];
}

function found(differences, compared) {
  return [
    h("h2", null, "What only some of them found"),
    differences.length ? table("Accounts and campaigns on which the runs do not agree", [
      { head: "on", cell: (one) => entityLink(one.entity_type, one.entity_id) },
      ...compared.map((run) => ({
        head: name(run.run_id, 40),
        cell: (one) => {
          const hit = one.found.find((each) => each.run === run.run_id);
          return hit ? [severity(hit.severity), " ", when(hit.detected_at)] : h("span.muted", null, "nothing");
        },
      })),
    ], differences) : nothing("All of them have incidents on the same accounts and campaigns."),
  ];
}

const share = (part, whole) => (whole ? `${count(part)} (${rarity(1 - part / whole)})` : "–");

function value(one) {
  if (one === null || one === undefined) return "–";
  if (typeof one === "number") return Number.isInteger(one) ? count(one) : one.toPrecision(4);
  return String(one);
}
