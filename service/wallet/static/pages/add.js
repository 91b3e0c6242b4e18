/** Add: paste a link, or scan a QR code. */

import { announce, el, errorNote, form, link } from "../dom.js";
import { takeIn } from "../intake.js";
import { scanner } from "../scanner.js";
import { t } from "../text.js";

export const title = "add.title";

export async function show(_parameter, app) {
  const input = el("textarea", { id: "link", rows: "4", autocomplete: "off", spellcheck: "false", "aria-describedby": "link-hint", required: true });
  const problem = el("div", {});
  const open = async () => {
    problem.replaceChildren();
    try {
      if (input.value.trim() === "") return input.focus();
      await app.go(await takeIn(input.value));
    } catch (error) {
      problem.replaceChildren(errorNote(error));
      announce(t(error.key ?? "error.unexpected"));
      input.focus();
    }
    return undefined;
  };
  return el(
    "div",
    {},
    el("h1", {}, t("add.title")),
    form(
      open,
      el("label", { for: "link" }, t("add.label")),
      el("p", { class: "hint", id: "link-hint" }, t("add.hint")),
      input,
      problem,
      el("div", { class: "row" }, el("button", { class: "primary" }, t("add.open")), link(t("app.cancel"), "#/", { class: "button" })),
    ),
    scanner(async (text) => app.go(await takeIn(text))),
  );
}
