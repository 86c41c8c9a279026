// Finding accounts, campaigns and incidents by a part of their id.

import { ask } from "./api.js";
import { h } from "./dom.js";
import { id } from "./parts.js";
import { link, run } from "./route.js";

export function listen(form, list) {
  const input = form.querySelector("input");
  let under = null;
  const close = () => {
    list.hidden = true;
    list.replaceChildren();
  };
  const look = async () => {
    under?.abort();
    under = new AbortController();
    const text = input.value.trim();
    if (!text) return close();
    try {
      const { found } = await ask("search", { run: run(), text }, under.signal);
      list.replaceChildren(...(found.length ? found.map(item) : [h("li.muted", null, "Nothing has that in its id.")]));
      list.hidden = false;
    } catch {
      // The next key asks again.
    }
    return undefined;
  };
  let wait = 0;
  input.oninput = () => {
    clearTimeout(wait);
    wait = setTimeout(look, 150);
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    clearTimeout(wait);
    await look();
    list.querySelector("a")?.click();
  };
  form.onkeydown = (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "Escape") {
      close();
      input.blur();
    } else if (event.key === "ArrowDown") (links[Math.min(links.length - 1, at + 1)] || input).focus();
    else if (event.key === "ArrowUp") (links[at - 1] || input).focus();
    else return;
    event.preventDefault();
  };
  list.onclick = (event) => {
    if (!event.target.closest("a")) return;
    input.value = "";
    close();
  };
  document.addEventListener("pointerdown", (event) => form.contains(event.target) || close());
}

function item({ what, id: found }) {
  return h("li", null, h("a", { href: link(what, { id: found }) }, h("span.muted", null, `${what} `), id(found, 48)));
}
