/** Backup: turn it on, save a file, and bring a saved one back. */

import { judgePassphrase, MAX_FILE_BYTES, readBackup } from "../backup.js";
import { announce, button, el, errorNote, form, link, note } from "../dom.js";
import { WalletError } from "../errors.js";
import * as holdings from "../holdings.js";
import { nowSeconds } from "../jose.js";
import { askPasskey, canUsePasskey, makePasskey } from "../passkey.js";
import { hostOf, nameOf } from "../records.js";
import { clean, formatInstant, t } from "../text.js";

export const title = "backup.title";
const AGAIN = "again"; // make another backup key, because nobody can open the present one

export async function show(parameter, app) {
  const [state, lost, passkeys] = await Promise.all([holdings.backupState(), holdings.listLost(), canUsePasskey()]);
  return el(
    "div",
    {},
    el("h1", {}, t("backup.title")),
    lostNote(lost, app),
    state.locks === null || parameter === AGAIN ? turnOn(parameter, passkeys, app) : save(state, passkeys, app),
    restore(app),
  );
}

/** What can't be brought back has to be issued again: by whom, and how to get there. */
function lostNote(lost, app) {
  if (lost.length === 0) return null;
  const forget = async () => {
    await holdings.forgetLost();
    await app.refresh();
  };
  return el(
    "section",
    { class: "note", id: "lost" },
    el("h2", {}, t("backup.lost")),
    el("p", {}, t("backup.lost_text")),
    nameAll(lost),
    button(t("loss.understood"), forget),
  );
}

function turnOn(parameter, passkeys, app) {
  const problem = el("div", {});
  const choose = (lock) => trying(problem, async () => {
    await holdings.turnBackupOn(await lock());
    await (parameter === AGAIN ? app.go("#/backup") : app.refresh());
    announce(t("backup.is_on"));
  });
  return el(
    "section",
    {},
    el("h2", {}, t("backup.turn_on")),
    el("p", {}, t("backup.why")),
    parameter === AGAIN ? note(t("backup.again")) : null,
    problem,
    passkeys ? passkeyChoice(choose) : null,
    passphraseForm(t("backup.turn_on_passphrase"), choose),
  );
}

function passkeyChoice(choose) {
  return el(
    "div",
    {},
    el("h3", {}, t("backup.by_passkey")),
    el("p", { class: "hint" }, t("backup.by_passkey_text")),
    el("div", { class: "row" }, button(t("backup.turn_on_passkey"), () => choose(newPasskey))),
  );
}

async function newPasskey() {
  return { kind: "passkey", passkey: await allowed(() => makePasskey(t("backup.passkey_name"))) };
}

/** Two fields for a new passphrase with a hint on its strength. */
function passphraseForm(label, choose) {
  const [first, again] = [passwordField("passphrase", "new-password"), passwordField("passphrase-again", "new-password")];
  const strength = el("p", { class: "hint", id: "passphrase-strength", "aria-live": "polite" });
  first.setAttribute("aria-describedby", "passphrase-hint passphrase-strength");
  first.addEventListener("input", () => {
    strength.textContent = first.value === "" ? "" : t(`backup.strength_${judgePassphrase(first.value)}`);
  });
  const act = () => choose(async () => {
    if (first.value !== again.value) throw new WalletError("backup_passphrases_differ");
    return { kind: "passphrase", passphrase: first.value };
  });
  return form(
    act,
    el("h3", {}, t("backup.by_passphrase")),
    el("p", { class: "hint", id: "passphrase-hint" }, t("backup.by_passphrase_text")),
    el("label", { for: "passphrase" }, t("backup.passphrase")),
    first,
    strength,
    el("label", { for: "passphrase-again" }, t("backup.passphrase_again")),
    again,
    el("div", { class: "row" }, el("button", { class: "primary" }, label)),
  );
}

function passwordField(id, autocomplete) {
  return el("input", { id, type: "password", autocomplete, autocapitalize: "off", spellcheck: "false" });
}

function save({ locks, savedAt, without }, passkeys, app) {
  const problem = el("div", {});
  const act = () => trying(problem, async () => {
    download(await holdings.saveBackup());
    await app.refresh();
    announce(t("backup.saved"));
  });
  const when = savedAt === null ? t("backup.never_saved") : t("backup.saved_at", { when: formatInstant(savedAt) });
  return el(
    "section",
    {},
    el("h2", {}, t("backup.save")),
    el("p", {}, t("backup.save_text")),
    el("p", { class: "hint" }, when),
    problem,
    el("div", { class: "row" }, button(t("backup.save_file"), act, { class: "primary" })),
    withoutNote(without, app),
    changeLock(locks, passkeys, app),
  );
}

function withoutNote(without, app) {
  if (without.length === 0) return null;
  const begin = async () => {
    await holdings.beginNewKeys();
    await app.refresh();
    announce(t("backup.keys_begun"));
  };
  return el(
    "div",
    { class: "note", id: "without" },
    el("h3", {}, t("backup.without")),
    el("p", {}, t("backup.without_text")),
    nameAll(without),
    button(t("backup.begin_keys"), begin),
  );
}

function nameAll(credentials) {
  const name = (each) => t("backup.named", { name: nameOf(each), issuer: clean(each.issuerName, 80), host: hostOf(each.issuer) });
  return el("ul", {}, credentials.map((each) => el("li", {}, name(each))));
}

function changeLock(locks, passkeys, app) {
  const problem = el("div", {});
  const present = unlocking(locks, "present");
  const change = (lock) => trying(problem, async () => {
    await holdings.changeBackupLock(await present.lock(), await lock());
    await app.refresh();
    announce(t("backup.changed"));
  });
  return el(
    "details",
    {},
    el("summary", {}, t("backup.change")),
    el("p", {}, t("backup.change_text")),
    problem,
    present.fields,
    passkeys ? passkeyChoice(change) : null,
    passphraseForm(t("backup.change_passphrase"), change),
    forgotten(),
  );
}

function forgotten() {
  return el("p", {}, t("backup.forgotten"), " ", link(t("backup.start_over"), `#/backup/${AGAIN}`));
}

function restore(app) {
  const problem = el("div", {});
  const opening = el("div", { id: "opening" });
  const input = el("input", { id: "backup-file", type: "file", accept: ".json,application/json", "aria-describedby": "backup-file-hint" });
  input.addEventListener("change", () => trying(problem, async () => {
    opening.replaceChildren();
    const [chosen] = input.files;
    if (chosen === undefined) return;
    if (chosen.size > MAX_FILE_BYTES) throw new WalletError("backup_foreign");
    opening.replaceChildren(openFile(readBackup(await chosen.text()), app));
  }));
  return el(
    "section",
    {},
    el("h2", {}, t("backup.restore")),
    el("p", { class: "hint", id: "backup-file-hint" }, t("backup.restore_text")),
    el("label", { for: "backup-file" }, t("backup.file")),
    input,
    problem,
    opening,
  );
}

function openFile(file, app) {
  const problem = el("div", {});
  const { fields, lock } = unlocking(file.locks, "opening");
  const act = () => trying(problem, async () => {
    const { restored } = await holdings.restoreBackup(file, await lock());
    await app.refresh();
    const said = t("backup.restored", { count: restored.length });
    document.querySelector("main h1").after(note(said, "good"), el("p", {}, link(t("app.back_home"), "#/")));
    announce(said);
  });
  return form(
    act,
    el("p", {}, t("backup.made_at", { when: formatInstant(Math.floor(Date.parse(file.made_at) / 1000) || nowSeconds()) })),
    fields,
    problem,
    el("div", { class: "row" }, el("button", { class: "primary" }, t("backup.restore_now"))),
  );
}

/** What the holder does to open `locks`: type the passphrase, or nothing where a passkey is asked. */
function unlocking(locks, name) {
  const passkeys = locks.filter(({ kind }) => kind === "passkey");
  if (passkeys.length > 0) {
    const lock = async () => ({ kind: "passkey", passkey: await allowed(() => askPasskey(passkeys)) });
    return { fields: el("p", { class: "hint" }, t("backup.passkey_will_be_asked")), lock };
  }
  const field = passwordField(`${name}-passphrase`, "current-password");
  const fields = el("div", {}, el("label", { for: field.id }, t("backup.passphrase_present")), field);
  return { fields, lock: async () => ({ kind: "passphrase", passphrase: field.value }) };
}

async function allowed(ask) {
  const passkey = await ask().catch((error) => {
    throw new WalletError("backup_passkey_refused", { code: error.name, retry: true });
  });
  if (passkey === null) throw new WalletError("backup_passkey_unable");
  return passkey;
}

function download(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const name = `goodstanding-wallet-backup-${new Date().toISOString().slice(0, 10)}.json`;
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser may still be reading
}

async function trying(problem, act) {
  problem.replaceChildren();
  try {
    await act();
  } catch (error) {
    problem.replaceChildren(errorNote(error));
    announce(t(error.key ?? "error.unexpected", error.values ?? {}));
  }
}
