/** Home: the credentials as cards. */

import { button, el, facts, link } from "../dom.js";
import { findReminder, putReminderOff } from "../holdings.js";
import { descriptionOf, hostOf, nameOf, stateInWords, stateOf } from "../records.js";
import { collect } from "../receive.js";
import { needsRenewal, renewalLine } from "../renewal.js";
import { refreshStatuses } from "../status.js";
import { acceptLosses, all, findLosses } from "../store.js";
import { clean, formatDay, formatInstant, t } from "../text.js";

export const title = "home.title";
export const live = true;

export async function show() {
  const [credentials, losses, unfinished, reminder] = await Promise.all([all("credentials"), findLosses(), listUnfinished(), findReminder()]);
  credentials.sort((a, b) => b.receivedAt - a.receivedAt);
  void refreshStatuses().catch(() => undefined); // what it finds draws the page anew
  return el(
    "div",
    {},
    el("h1", {}, t("home.title")),
    lossNote(losses),
    unfinished,
    credentials.length === 0 ? welcome() : el("ul", { class: "cards" }, credentials.map((each) => card(each, credentials))),
    el("p", {}, link(t("home.add"), "#/add", { class: "button" })),
    reminder === null ? null : backupNote(reminder),
  );
}

// What a lost connection cut off, or an issuer still decides on: a way on for each, and a look for what is due.
async function listUnfinished() {
  const [offers, requests, history] = await Promise.all([all("offers"), all("requests"), all("history")]);
  const begun = offers.filter((each) => ["visiting", "agreed", "redeeming", "redeemed"].includes(each.state));
  const sent = requests.filter((each) => each.state === "sending");
  if (begun.length + sent.length === 0) return null;
  for (const offer of begun.filter(isDue)) void collect(offer.id).catch(() => undefined);
  const hosts = new Map(history.map((entry) => [entry.id, entry.host]));
  return el(
    "section",
    { class: "note" },
    el("h2", {}, t("home.unfinished")),
    el(
      "ul",
      {},
      begun.map((each) => el("li", {}, link(t("home.unfinished_offer", { issuer: clean(each.issuerName, 80) }), `#/offer/${each.id}`))),
      sent.map((each) => el("li", {}, link(t("home.unfinished_answer", { host: clean(hosts.get(each.historyId), 80) }), `#/request/${each.id}`))),
    ),
  );
}

function isDue({ state, items }) {
  const now = Date.now() / 1000;
  return state === "redeemed" && items.some((item) => item.state === "waiting" && item.nextAt <= now);
}

function welcome() {
  return el("section", { class: "welcome" }, el("p", {}, t("home.empty")), el("p", {}, t("home.how")));
}

function card(credential, credentials) {
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
      [t("card.status"), [el("span", { class: `badge ${state}` }, stateInWords(state, credential.status)), checked(credential)]],
    ]),
    needsRenewal(credential, credentials) ? renewalLine(credential) : null,
  );
}

function checked({ status }) {
  return status ? el("span", { class: "hint" }, t("card.checked", { when: formatInstant(status.checkedAt) })) : null;
}

function backupNote(reminder) {
  return el(
    "section",
    { class: "note", id: "backup-reminder" },
    el("h2", {}, t(`remind.${reminder}_title`)),
    el("p", {}, t(`remind.${reminder}`)),
    el("div", { class: "row" }, link(t(`remind.${reminder}_do`), "#/backup", { class: "button" }), button(t("remind.later"), putReminderOff)),
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
