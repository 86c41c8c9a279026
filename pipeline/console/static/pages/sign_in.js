// Asking for the token.

import { signIn } from "../api.js";
import { h } from "../dom.js";

export function signInPage(done, problem = "") {
  const wrong = h("p.wrong", { role: "alert", hidden: !problem }, problem);
  const form = h("form.sign-in", null,
    h("h1", { tabindex: -1 }, "Stillwatch"),
    h("p.lead", null, "Open the link that ", h("code", null, "stillwatch console"), " printed, or give the token in it."),
    h("label", null, "Token ", h("input", { name: "token", type: "password", required: true, autocomplete: "current-password" })),
    wrong,
    h("button.main", { type: "submit" }, "Sign in"));
  form.onsubmit = async (event) => {
    event.preventDefault();
    try {
      await signIn(new FormData(form).get("token"));
      done();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  };
  return form;
}
