// The page: signing in, showing what the address names, and showing it anew when something was written.

import { ask, session, signIn, signOut, whoAmI } from "./api.js";
import { h, patch } from "./dom.js";
import { name } from "./format.js";
import * as keyboard from "./keyboard.js";
import * as live from "./live.js";
import { change, here, link, run } from "./route.js";
import * as search from "./search.js";
import * as account from "./pages/account.js";
import * as accounts from "./pages/accounts.js";
import * as campaign from "./pages/campaign.js";
import * as campaigns from "./pages/campaigns.js";
import * as incident from "./pages/incident.js";
import * as incidents from "./pages/incidents.js";
import * as replays from "./pages/replays.js";
import * as stream from "./pages/stream.js";
import { signInPage } from "./pages/sign_in.js";

const PAGES = { account, accounts, campaign, campaigns, incident, incidents, replays, stream };
const NAV = [["accounts", "Accounts"], ["incidents", "Incidents"], ["campaigns", "Campaigns"], ["stream", "Stream"], ["replays", "Replays"]];
const PARENTS = { account: "accounts", incident: "incidents", campaign: "campaigns" };
const get = (id) => document.getElementById(id);
const main = get("main");

let shown = "";
let under = null;
let timer = 0;
let waiting = 0;

async function start() {
  theme(localStorage.getItem("theme") || "");
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  let problem = "";
  if (token) {
    // Out of the address before anything else, so that it is in no history and no picture of the screen.
    history.replaceState(null, "", "/");
    try {
      await signIn(token);
    } catch (error) {
      problem = error.message;
    }
  }
  try {
    if (!session.signedIn) await whoAmI();
  } catch (error) {
    problem = error.message;
  }
  if (session.signedIn) enter();
  else askToSignIn(problem);
}

function askToSignIn(problem = "") {
  live.close();
  clearTimeout(timer);
  shown = "";
  get("bar").hidden = true;
  tellProblem("");
  document.title = "Stillwatch";
  main.replaceChildren(signInPage(enter, problem));
  main.querySelector("input").focus();
}

function enter() {
  get("bar").hidden = false;
  get("live").dataset.state = "";
  live.listen({ changed: again, away: tellProblem, ended: () => askToSignIn("The session has ended: sign in again."), state: connection });
  show();
}

// Show what the address names; `fresh` is false when the same is only drawn anew.
async function show(fresh = true) {
  if (!session.signedIn) return;
  const { page, given } = here();
  const now = PAGES[page] ? page : "accounts";
  const key = `${now} ${given.run || ""} ${given.id || ""}`;
  const moved = key !== shown;
  under?.abort();
  const mine = new AbortController();
  under = mine;
  clearTimeout(timer);
  if (fresh) {
    navigation(now);
    document.title = `${PAGES[now].title(given)} · Stillwatch`;
    main.setAttribute("aria-busy", "true");
  }
  try {
    const asked = { ...given, run: run() };
    let data = await PAGES[now].load(asked, mine.signal);
    draw(now, data, given, moved, key);
    if (PAGES[now].later) {
      data = await PAGES[now].later(asked, data, mine.signal);
      draw(now, data, given, false, key);
    }
    tellProblem("");
  } catch (error) {
    if (error.name === "AbortError") return;
    failed(error, moved);
  } finally {
    if (under === mine) {
      main.removeAttribute("aria-busy");
      if (PAGES[now].every) timer = setTimeout(again, PAGES[now].every);
    }
  }
}

function draw(page, data, given, moved, key) {
  if (moved) main.replaceChildren();
  patch(main, PAGES[page].view(data, given).flat(3).filter(Boolean));
  if (moved) {
    if (shown) main.querySelector("h1")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  shown = key;
}

function failed(error, moved) {
  if (error.status === 401) {
    session.signedIn = false;
    askToSignIn(error.message);
    return;
  }
  if (moved) {
    shown = "";
    main.replaceChildren(h("h1", { tabindex: -1 }, error.status === 404 ? "Not found" : "This cannot be shown"), h("p.note", null, name(error.message, 600)));
  }
  if (error.status !== 404) tellProblem(error.message);
  // A store that is held or away may come back.
  if (error.status === 503 || error.status === 0) timer = setTimeout(again, 3000);
}

// Something was written: soon, and once for many changes. Not while a dialog is open, whose page must not move below it.
function again() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (document.hidden || document.querySelector("dialog[open]")) again();
    else show(false);
  }, 300);
}

function navigation(page) {
  const current = PARENTS[page] || page;
  patch(get("nav"), NAV.map(([target, text]) => h("a", { href: link(target), "aria-current": target === current ? "page" : null }, text)));
  runs();
}

async function runs() {
  try {
    const { runs: found } = await ask("runs");
    const now = run();
    const select = get("run");
    patch(select, [...new Set([...found, now])].map((one) => h("option", { value: one }, name(one, 40))));
    select.value = now;
  } catch {
    // The page itself says what is wrong with the store.
  }
}

function tellProblem(text) {
  const line = get("problem");
  line.textContent = name(text, 600);
  line.hidden = !text;
}

function connection(state) {
  const dot = get("live");
  dot.dataset.state = state;
  dot.setAttribute("aria-label", state);
  dot.title = state === "connected" ? "shows what is written as it comes" : state;
}

function say(text) {
  get("said").textContent = text;
  setTimeout(() => { if (get("said").textContent === text) get("said").textContent = ""; }, 6000);
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new Event("theme"));
}

// A link with a token may be opened in a page that is there already.
window.addEventListener("hashchange", () => (location.hash.startsWith("#token=") ? start() : show()));
document.addEventListener("decided", (event) => {
  say(`Done: ${event.detail}.`);
  show(false);
});
document.addEventListener("refused", (event) => say(event.detail));
get("run").onchange = (event) => change({ run: event.target.value === "live" ? "" : event.target.value });
get("help").onclick = keyboard.help;
get("leave").onclick = async () => {
  await signOut();
  askToSignIn("Signed out.");
};
get("theme").onclick = () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  localStorage.setItem("theme", dark ? "light" : "dark");
  theme(dark ? "light" : "dark");
};
search.listen(get("search"), get("found"));
keyboard.listen();
start();
