// One incident, with its reasons and what people have said of it.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { count, name, rarity, words } from "../format.js";
import { chip, entityLink, facts, nothing, reasons, severity, when } from "../parts.js";
import { buttons } from "../decide.js";

export const title = ({ id = "" }) => `Incident ${name(id, 40)}`;

export const load = ({ run, id = "" }, signal) => ask("incidents", { run, incident: id, limit: 1 }, signal);

export function view({ incidents }) {
  const [one] = incidents;
  if (!one) return [h("h1", { tabindex: -1 }, "Incident"), nothing("There is no such incident in this run.")];
  return [
    h("div.head", { "data-incident": one.incident_id }, h("h1", { tabindex: -1 }, severity(one.severity), ` ${words(one.kind)} `, entityLink(one.entity_type, one.entity_id)), buttons(one)),
    h("p.chips", null, chip(name(one.status, 20)), one.acknowledged && chip("acknowledged", "done"), one.verdict && chip(`labelled ${name(one.verdict, 40)}`, "done")),
    (one.triage_note || one.verdict_note) && h("blockquote", null, h("bdi", null, name(one.triage_note || one.verdict_note, 2000))),
    facts([
      ["first evidence", when(one.opened_at)],
      ["detected", when(one.detected_at)],
      ["latest evidence", when(one.last_seen_at)],
      one.closed_at && ["closed", when(one.closed_at)],
      ["output tokens meanwhile", count(one.output_tokens)],
      ["evidence at most", `${(-Math.log(Math.max(1 - one.peak_score, 1e-15))).toFixed(1)} nats`, h("small", null, ` score ${rarity(one.peak_score)}`)],
    ]),
    h("h2", null, "Why"),
    reasons(one.reasons),
    h("p.summary", null, h("bdi", null, name(one.summary, 1000))),
  ];
}
