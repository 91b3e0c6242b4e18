/** Home: the credentials as cards. */

import { button, el, facts, link, note } from "../dom.js";
import { descriptionOf, hostOf, nameOf, stateInWords, stateOf } from "../records.js";
import { acceptLosses, all, findLosses } from "../store.js";
import { clean, formatDay, t } from "../text.js";

export const title = "home.title";
export const live = true;

export async function show() {
  const [credentials, losses] = await Promise.all([all("credentials"), findLosses()]);
  credentials.sort((a, b) => b.receivedAt - a.receivedAt);
  return el(
    "div",
    {},
    el("h1", {}, t("home.title")),
    lossNote(losses),
    credentials.length === 0 ? welcome() : el("ul", { class: "cards" }, credentials.map(card)),
    el("p", {}, link(t("home.add"), "#/add", { class: "button" })),
  );
}

function welcome() {
  return el("section", { class: "welcome" }, el("p", {}, t("home.empty")), el("p", {}, t("home.how")));
}

function card(credential) {
  const state = stateOf(credential);
  const until = credential.expiresAt === null ? t("card.no_end") : formatDay(credential.expiresAt);
  return el(
    "li",
    { class: `card state-${state}` },
    el("h2", {}, link(nameOf(credential), `#/credential/${credential.id}`)),
    el("p", {}, descriptionOf(credential)),
    facts([
      [t("card.from"), `${clean(credential.issuerName, 80)} (${hostOf(credential.issuer)})`],
      [t("card.until"), until],
      [t("card.status"), el("span", { class: `badge ${state}` }, stateInWords(state))],
    ]),
  );
}

function lossNote(losses) {
  if (losses.credentials === 0 && losses.keys === 0) return null;
  return el(
    "section",
    { class: "note bad", role: "alert" },
    el("h2", {}, t("loss.title")),
    el("p", {}, t("loss.what", { count: losses.credentials + losses.keys })),
    el("p", {}, t("loss.way_on")),
    button(t("loss.understood"), acceptLosses),
  );
}
