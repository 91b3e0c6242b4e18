/** History: who saw what, and when. */

import { el, facts, note } from "../dom.js";
import { labelOf, personalClaims, valueInWords } from "../records.js";
import { all } from "../store.js";
import { clean, describePurpose, describeType, formatInstant, t } from "../text.js";

export const title = "history.title";
export const live = true;

export async function show() {
  const entries = (await all("history")).sort((a, b) => b.at - a.at);
  return el(
    "div",
    {},
    el("h1", {}, t("history.title")),
    el("p", {}, t("history.about")),
    entries.length === 0 ? note(t("history.empty")) : el("ul", { class: "cards" }, entries.map(card)),
  );
}

function card(entry) {
  return el(
    "li",
    { class: "card" },
    el("h2", {}, clean(entry.name, 80) || clean(entry.host, 80)),
    facts([
      [t("history.when"), formatInstant(entry.at)],
      [t("history.where"), clean(entry.host, 120)],
      [t("request.why"), describePurpose(entry.purpose)],
      [t("history.outcome"), t(`outcome.${entry.outcome}`)],
    ]),
    entry.credentials.map(shownCredential),
    entry.agreed.length === 0 ? null : el("div", {}, el("h3", {}, t("history.agreed")), facts(entry.agreed)),
  );
}

function shownCredential({ vct, name, claims }) {
  const words = describeType(vct);
  const seen = personalClaims({ vct, claims }).map(([claim, value]) => [labelOf({ vct }, claim), valueInWords({ vct }, claim, value)]);
  return el("details", {}, el("summary", {}, t("history.saw", { name: clean(words.name ?? name, 80), count: seen.length })), facts(seen));
}
