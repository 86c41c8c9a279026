// Asking the server, and telling it what people decide.

let csrf = "";
export const session = { readOnly: false, signedIn: false };

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, parameters, signal) {
  const given = Object.entries(parameters || {}).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return read(await send(`/api/${path}${query ? `?${query}` : ""}`, { signal }));
}

export async function tell(path, body, method = "POST") {
  return read(await send(`/api/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-Stillwatch-Csrf": csrf },
    body: method === "DELETE" ? undefined : JSON.stringify(body),
  }));
}

export async function whoAmI() {
  return remember(await ask("session"));
}

export async function signIn(token) {
  return remember(await tell("session", { token }));
}

export async function signOut() {
  return remember(await tell("session", null, "DELETE"));
}

function remember(told) {
  csrf = told.csrf || "";
  session.signedIn = told.signed_in;
  session.readOnly = Boolean(told.read_only);
  return told;
}

async function send(path, options) {
  try {
    return await fetch(path, { credentials: "same-origin", redirect: "error", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "the console does not answer: is it still running?");
  }
}

async function read(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    throw new Refusal(response.status, `the console answered with status ${response.status} and no JSON`);
  }
  if (!response.ok) throw new Refusal(response.status, body.error || `status ${response.status}`);
  return body;
}
