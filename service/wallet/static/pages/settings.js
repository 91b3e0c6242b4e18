/** Settings: language, where things are kept, and what the wallet never does. */

import { button, el, link } from "../dom.js";
import { setSetting } from "../store.js";
import { language, LANGUAGES, loadLanguage, t } from "../text.js";

export const title = "settings.title";

export async function show(_parameter, app) {
  return el(
    "div",
    {},
    el("h1", {}, t("settings.title")),
    el("section", {}, el("h2", {}, t("settings.language")), languageButtons(app)),
    el("section", {}, el("h2", {}, t("settings.storage")), el("p", {}, t("settings.storage_text")), await persistence()),
    el("section", {}, el("h2", {}, t("backup.title")), el("p", {}, t("settings.backup_text")), link(t("settings.backup"), "#/backup", { class: "button" })),
    el("section", {}, el("h2", {}, t("settings.never")), el("p", {}, t("settings.never_text"))),
  );
}

function languageButtons(app) {
  const choose = async (code) => {
    await setSetting("language", code);
    await loadLanguage(code);
    await app.refresh();
  };
  const buttons = Object.entries(LANGUAGES).map(([code, name]) =>
    button(name, () => choose(code), { lang: code === "zh" ? "zh-Hans" : code, "aria-pressed": String(code === language()) }),
  );
  return el("div", { class: "row" }, buttons);
}

async function persistence() {
  const kept = (await navigator.storage?.persisted?.()) ?? false;
  return el("p", {}, t(kept ? "settings.kept" : "settings.may_be_cleared"));
}
