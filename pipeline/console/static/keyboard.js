// Keys: / to search, j and k through what a page lists, Enter to open, a l s on what is chosen, g and a letter to a page, ? for help.

import { h } from "./dom.js";
import { link } from "./route.js";

const PAGES = { a: "accounts", i: "incidents", c: "campaigns", s: "stream", r: "replays" };
const HELP = [
  ["/", "find an account"], ["j k", "next and previous in a list"], ["Enter", "open it"],
  ["a", "acknowledge the incident, or put it back"], ["l", "label the account"], ["s", "suppress the account"],
  ["g a", "accounts"], ["g i", "incidents"], ["g c", "campaigns"], ["g s", "stream"], ["g r", "replays"],
  ["← →", "through a chart's points, with Shift faster"], ["+ − 0", "zoom a chart in, out, to all"], ["?", "this help"],
];

let pending = 0;

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, dialog")) return;
    if (pressed(event)) event.preventDefault();
  });
}

function pressed({ key }) {
  const going = Date.now() - pending < 1200;
  pending = 0;
  if (going && PAGES[key]) {
    location.hash = link(PAGES[key]);
    return true;
  }
  if (key === "g") pending = Date.now();
  else if (key === "/") document.querySelector("#search input").focus();
  else if (key === "?") help();
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (key === "Enter" && document.activeElement?.hasAttribute("data-item")) document.activeElement.querySelector("a.open, a")?.click();
  else if ("als".includes(key)) return act(key);
  else return false;
  return true;
}

function step(by) {
  const items = [...document.querySelectorAll("#main [data-item]")];
  if (!items.length) return;
  const at = items.indexOf(document.activeElement?.closest("[data-item]"));
  const next = items[Math.min(items.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function act(key) {
  const chosen = document.activeElement?.closest("[data-item], [data-incident]") || document.querySelector("#main .head");
  const button = chosen?.querySelector(`[data-key="${key}"]`);
  button?.click();
  return Boolean(button);
}

export function help() {
  const dialog = h("dialog", { "aria-label": "Keys" },
    h("h2", null, "Keys"),
    h("dl.keys", null, HELP.map(([keys, does]) => h("div", null, h("dt", null, keys.split(" ").map((one) => h("kbd", null, one))), h("dd", null, does)))),
    h("form", { method: "dialog" }, h("button.main", null, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
