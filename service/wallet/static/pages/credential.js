/** One credential whole: what it proves, every claim, from whom, until when. */

import { announce, button, el, errorNote, facts, link, note } from "../dom.js";
import { descriptionOf, hostOf, labelOf, nameOf, personalClaims, stateInWords, stateOf, valueInWords } from "../records.js";
import { needsRenewal, renewalSection } from "../renewal.js";
import { refreshStatuses } from "../status.js";
import { all, get, remove } from "../store.js";
import { clean, formatDay, formatInstant, t } from "../text.js";

export const title = "credential.title";

export async function show(id, app) {
  const credential = await get("credentials", id);
  if (credential === undefined) return gone();
  const state = stateOf(credential);
  const known = new Set((await all("keys")).map((key) => key.kid));
  const hasKey = credential.copies.some((copy) => known.has(copy.kid));
  return el(
    "div",
    {},
    el("h1", {}, nameOf(credential)),
    el("p", {}, descriptionOf(credential)),
    hasKey ? null : note(t("credential.key_gone"), "bad"),
    state === "valid" || state === "unknown" ? null : note(t(`credential.${state}`), "bad"),
    needsRenewal(credential, await all("credentials")) ? renewalSection(credential) : null,
    el("section", {}, el("h2", {}, t("credential.proves")), facts(personalClaims(credential).map(([name, value]) => [labelOf(credential, name), valueInWords(credential, name, value)]))),
    el("section", {}, el("h2", {}, t("credential.about")), about(credential, state), statusCheck(credential, app)),
    removal(credential, app),
  );
}

function about(credential, state) {
  return facts([
    [t("card.from"), clean(credential.issuerName, 120)],
    [t("credential.address"), hostOf(credential.issuer)],
    [t("card.status"), el("span", { class: `badge ${state}` }, stateInWords(state, credential.status))],
    [t("credential.checked"), credential.status?.checkedAt ? formatInstant(credential.status.checkedAt) : ""],
    [t("card.until"), credential.expiresAt === null ? t("card.no_end") : formatDay(credential.expiresAt)],
    [t("credential.received"), formatInstant(credential.receivedAt)],
    [t("credential.copies"), String(credential.copies.length)],
  ]);
}

function statusCheck(credential, app) {
  if (credential.statusReference === null) return null;
  const problem = el("div", {});
  const check = async () => {
    problem.replaceChildren();
    const failure = await refreshStatuses({ now: true, id: credential.id });
    if (failure === null) {
      await app.refresh();
      announce(t("credential.was_checked"));
    } else {
      problem.replaceChildren(el("p", {}, t("credential.not_checked")), errorNote(failure));
    }
  };
  return el("div", {}, el("div", { class: "row" }, button(t("credential.check"), check)), problem);
}

function removal(credential, app) {
  const confirm = el("div", { class: "note bad", hidden: true });
  const ask = button(t("credential.remove"), () => {
    confirm.hidden = false;
    confirm.querySelector("button").focus();
  });
  const forget = async () => {
    await remove("credentials", credential.id);
    await app.replace("#/");
  };
  confirm.append(
    el("p", {}, t("credential.remove_text")),
    el("div", { class: "row" }, button(t("credential.remove_yes"), forget), button(t("app.cancel"), () => { confirm.hidden = true; ask.focus(); })),
  );
  return el("section", {}, ask, confirm);
}

function gone() {
  return el("div", {}, el("h1", {}, t("credential.title")), note(t("credential.gone")), el("p", {}, link(t("app.back_home"), "#/")));
}
