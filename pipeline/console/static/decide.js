// What people decide: acknowledge an incident, label its account, suppress it for a time.

import { session, tell } from "./api.js";
import { h } from "./dom.js";
import { name } from "./format.js";
import { run } from "./route.js";

const HOUR = 3_600_000;
const KINDS = ["honest", "heavy", "ramp", "pool", "stolen_key", "logprobs", "reasoning"];
const LASTS = [[24, "1 day"], [72, "3 days"], [168, "1 week"], [720, "30 days"], [2160, "90 days"]];

// The buttons of an incident; their keys work on the one that is chosen.
export function buttons(one) {
  if (session.readOnly) return null;
  const seen = one.acknowledged;
  return h("div.actions", null,
    h("button", { type: "button", "data-key": "a", onclick: () => acknowledge(one) }, seen ? "Put back" : "Acknowledge"),
    one.entity_type === "account" && h("button", { type: "button", "data-key": "l", onclick: () => labelDialog(one.entity_id) }, "Label…"),
    one.entity_type === "account" && h("button", { type: "button", "data-key": "s", onclick: () => suppressDialog(one.entity_id) }, "Suppress…"));
}

async function acknowledge(one) {
  const state = one.acknowledged ? "new" : "acknowledged";
  await decide("triage", { run: run(), incident: one.incident_id, state, note: "" });
}

export function labelDialog(account) {
  const kind = h("input", { name: "kind", list: "kinds", required: true, pattern: "[A-Za-z0-9_.\\-]{1,64}", value: "honest", autocomplete: "off" });
  open("Label", account, [
    h("label", null, "It was ", kind),
    h("datalist", { id: "kinds" }, KINDS.map((one) => h("option", { value: one }))),
    note(),
    h("p.muted", null, "An honest account opens no incident for 30 days more, unless it shows more than it had. The label covers all calls of it that are known."),
  ], (form) => ["labels", { account, kind: form.get("kind"), note: form.get("note") }]);
}

export function suppressDialog(account) {
  const lasts = h("select", { name: "hours", value: "168" }, LASTS.map(([hours, text]) => h("option", { value: hours }, text)));
  lasts.value = "168";
  open("Suppress", account, [
    h("label", null, "for ", lasts),
    h("label", null, "unless its evidence reaches ", h("input", { name: "above", type: "number", min: 0.5, max: 1000, step: 0.5, value: 7, required: true }), " nats"),
    note(),
    h("p.muted", null, "From this hour on. What would have opened an incident is kept and shown as suppressed."),
  ], (form) => ["suppressions", {
    account: literally(account), until: Date.now() + Number(form.get("hours")) * HOUR, above: Number(form.get("above")), note: form.get("note"),
  }]);
}

// A suppression takes a pattern, so what is special in it stands in brackets.
export const literally = (account) => account.replace(/[*?[]/g, "[$&]");

export const liftSuppression = (account, kinds) => decide("suppressions/lift", { account, kinds });

const note = () => h("label", null, "because ", h("textarea", { name: "note", rows: 2, maxlength: 2000 }));

function open(what, account, fields, body) {
  const problem = h("p.wrong", { role: "alert", hidden: true });
  const form = h("form", { method: "dialog" },
    h("h2", null, `${what} `, h("bdi.id", null, name(account, 60))),
    fields, problem,
    h("div.actions", null,
      h("button.main", { type: "submit" }, what),
      h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = h("dialog", { "aria-label": `${what} an account` }, form);
  form.onsubmit = async (event) => {
    event.preventDefault();
    const [path, values] = body(new FormData(form));
    try {
      await decide(path, values);
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
}

async function decide(path, values) {
  try {
    const { done } = await tell(path, values);
    document.dispatchEvent(new CustomEvent("decided", { detail: done }));
  } catch (error) {
    document.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
    throw error;
  }
}
