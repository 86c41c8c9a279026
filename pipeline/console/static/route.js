// Where one is: #/page?name=value, so that every view has a link of its own.

export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: path || "accounts", given: Object.fromEntries(new URLSearchParams(query || "")) };
}

export function to(page, given = {}) {
  const kept = Object.entries(given).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(kept).toString();
  return `#/${page}${query ? `?${query}` : ""}`;
}

// The same page with other values; the run stays.
export function change(changes) {
  const { page, given } = here();
  location.hash = to(page, { ...given, ...changes });
}

export function run() {
  return here().given.run || "live";
}

// A link that stays in the run one looks at.
export function link(page, given = {}) {
  const at = run();
  return to(page, { ...given, run: at === "live" ? "" : at });
}
