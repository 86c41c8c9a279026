// How the stream is.

import { ask } from "../api.js";
import { chart } from "../chart.js";
import { h, widget } from "../dom.js";
import { bytes, compact, count, duration, millis, name, time, words } from "../format.js";
import { chip, choice, facts, nothing, table, when } from "../parts.js";
import { change } from "../route.js";

export const title = () => "Stream";
export const every = 5000;

export const load = ({ run, hours = 24 }, signal) => ask("health", { run, hours }, signal);

export function view(data, { hours = 24 }) {
  const { worker, history, rejects, states, received, gaps, now } = data;
  const report = worker.report;
  return [
    h("div.head", null, h("h1", { tabindex: -1 }, "Stream"), h("span", null, state(worker))),
    worker.problem && h("p.note", null, name(worker.problem, 300)),
    report?.problems?.map((line) => h("p.wrong", null, name(line, 300))),
    facts([
      ["lag", report ? `${count(report.lag)} records` : "–"],
      ["rate", speed(history)],
      ["rejected", report ? `${count(report.rejected)} of ${count(report.received)}` : `${count(rejects.reduce((sum, one) => sum + one.events, 0))} in 7 days`],
      ["oldest state", report?.checkpoint_s_ago !== null && report ? `${duration(report.checkpoint_s_ago)} ago` : states.length ? `${duration(Math.max(...states.map((one) => one.age_s)))} ago` : "–"],
      ["newest event", received.events ? when(received.newest_event) : "–"],
      ["events stored", count(received.events)],
      ["lost before they were read", count(gaps.records)],
    ]),
    h("section", { key: "rate" },
      h("div.head", null, h("h2", null, "Calls a minute"), choice("Hours", [[3, "3 h"], [24, "24 h"], [160, "160 h"]], hours, (value) => change({ hours: value }))),
      data.rate.t.length ? [
        h("p.lead", null, "By event time, up to the newest minute; red: calls that failed."),
        widget("div.chart", { key: "calls" }, chart, rate(data.rate)),
      ] : nothing("No call has been stored yet.")),
    history.t.length > 1 && h("section", { key: "lag" }, h("h2", null, "Lag of the worker"), widget("div.chart.low", { key: "lag chart" }, chart, lag(history, now))),
    h("section", { key: "rejects" }, h("h2", null, "Rejected in the latest 7 days"), rejects.length ? table("Rejected events by reason", [
      { head: "reason", cell: (one) => words(one.reason) },
      { head: "events", kind: "number", cell: (one) => count(one.events) },
      { head: "latest", cell: (one) => when(one.latest) },
      { head: "for example", cell: (one) => h("bdi", null, name(one.example, 160)) },
    ], rejects) : nothing("Nothing was rejected.")),
    h("section", { key: "states" }, h("h2", null, "States of the engines"), states.length ? table("Latest state of each partition", [
      { head: "partition", kind: "number", cell: (one) => (one.partition < 0 ? `campaigns ${-one.partition}` : one.partition) },
      { head: "written", cell: (one) => [when(one.written_at), ` (${duration(one.age_s)} ago)`] },
      { head: "windows closed up to", cell: (one) => when(one.as_of) },
      { head: "accounts", kind: "number", cell: (one) => count(one.accounts) },
      { head: "size", kind: "number", cell: (one) => bytes(one.bytes) },
    ], states) : nothing("No state of this run is in the store: replays leave none.")),
  ];
}

function state({ report }) {
  if (!report) return chip("no worker answers", "plain");
  return chip(name(report.state, 20), report.state === "ok" ? "done" : "high");
}

function speed({ t, accepted }) {
  if (t.length < 2) return "–";
  const first = Math.max(0, t.length - 13);
  const last = t.length - 1;
  const rate = ((accepted[last] - accepted[first]) / (t[last] - t[first])) * 1000;
  return rate >= 0 ? `${compact(rate)} events/s` : "–";
}

function rate({ t, calls, errors }) {
  return {
    label: "Calls a minute", from: t[0], to: t.at(-1) + 60_000, t, width: 60_000,
    layers: [{ kind: "bars", values: calls, usual: calls.map((value, at) => value - errors[at]) }],
    told: (at) => [`${count(calls[at])} calls`, `${count(errors[at])} failed`],
  };
}

function lag({ t, lag: values }, now) {
  return {
    label: "Lag of the worker", from: Math.min(t[0], now - 60_000), to: Math.max(now, t.at(-1)), t, width: 0,
    layers: [{ kind: "line", values }],
    told: (at) => [`${count(values[at])} records`, time(millis(t[at]), true)].slice(0, 1),
  };
}
