// Hearing that something was written. When the connection breaks the browser makes it anew by itself.

let source = null;

export function listen({ changed, away, ended, state }) {
  close();
  source = new EventSource("/api/live");
  let known = null;
  source.addEventListener("open", () => state("connected"));
  source.addEventListener("at", (event) => {
    state("connected");
    if (known !== null && known !== event.data) changed();
    known = event.data;
  });
  source.addEventListener("away", (event) => away(event.data));
  source.addEventListener("ended", () => {
    close();
    ended();
  });
  source.addEventListener("error", () => state("not connected"));
}

export function close() {
  source?.close();
  source = null;
}
