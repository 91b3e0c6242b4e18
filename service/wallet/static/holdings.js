/** What the wallet holds, out to a backup file and back in another browser. */

import { changeLock, makeBackupKey, openBackup, wrapForBackup, writeBackup } from "./backup.js";
import { nowSeconds } from "./jose.js";
import { onKeyCreated, sealKey } from "./keys.js";
import { all, setSetting, setting, write } from "./store.js";

const BACKUP_KEY = "backup-key";
const SAVED_AT = "backup-saved-at";
const LOST = "backup-lost";
const REMINDED_AT = "backup-reminded-at";
const REMIND_EVERY_S = 30 * 86_400;

/** From now on keep a sealed copy of each new key, if there is a backup key by then; another tab may make it. */
export function keepKeyCopies() {
  onKeyCreated(async (pkcs8, kid) => {
    const backupKey = await setting(BACKUP_KEY);
    return backupKey === null ? null : wrapForBackup(backupKey, new Uint8Array(pkcs8), kid);
  });
}

/** @returns {Promise<{locks: object[]|null, savedAt: number|null, without: object[]}>} `without` can't be backed up. */
export async function backupState() {
  const [backupKey, savedAt, keys, credentials] = await Promise.all([
    setting(BACKUP_KEY),
    setting(SAVED_AT),
    all("keys"),
    all("credentials"),
  ]);
  const covered = new Set(keys.filter((key) => isCovered(key, backupKey)).map((key) => key.kid));
  const without = credentials.filter(({ copies }) => !copies.some(({ kid }) => covered.has(kid)));
  return { locks: backupKey?.locks ?? null, savedAt, without };
}

/**
 * Whether to remind of a backup: from the first credential on, once in a month, while there is none or an old one.
 * @returns {Promise<"none"|"old"|null>}
 */
export async function findReminder(now = nowSeconds()) {
  const [{ locks, savedAt }, remindedAt, credentials] = await Promise.all([backupState(), setting(REMINDED_AT, -Infinity), all("credentials")]);
  if (credentials.length === 0 || now - remindedAt < REMIND_EVERY_S) return null;
  if (locks === null) return "none";
  return credentials.some(({ receivedAt }) => receivedAt > (savedAt ?? 0)) ? "old" : null;
}

export function putReminderOff() {
  return setSetting(REMINDED_AT, nowSeconds());
}

/** Make a backup key; what is received from now on can be restored. A backup key that there was is given up. */
export async function turnBackupOn(lock) {
  await setSetting(BACKUP_KEY, await makeBackupKey(lock));
  const bound = listBound(await all("credentials"));
  await retireKeys((key) => !bound.has(key.kid));
}

export async function changeBackupLock(present, next) {
  await setSetting(BACKUP_KEY, await changeLock(await setting(BACKUP_KEY), present, next));
}

/** Bind what is received from now on to new keys, which a backup can hold. */
export function beginNewKeys() {
  return retireKeys(() => true);
}

/** @returns {Promise<string>} The file. */
export async function saveBackup() {
  const [backupKey, keys, credentials, history] = await Promise.all([
    setting(BACKUP_KEY),
    all("keys"),
    all("credentials"),
    all("history"),
  ]);
  const bound = listBound(credentials); // the rest are of errands that are over
  const meant = keys.filter(({ kid, slot }) => slot !== null || bound.has(kid));
  const listed = meant.map(({ kid, jwk, slot, wrapped, ...key }) => ({
    kid,
    jwk,
    slot,
    createdAt: key.createdAt,
    wrapped: isCovered({ wrapped }, backupKey) ? wrapped : null,
  }));
  const text = await writeBackup(backupKey, { keys: listed, credentials, history });
  await setSetting(SAVED_AT, nowSeconds());
  return text;
}

/**
 * Take in what a file holds; what this wallet has already stays as it is.
 *
 * @param {object} file As `readBackup` gave it.
 * @param {object} lock See `backup.js`.
 * @returns {Promise<{restored: object[], lost: object[]}>} Credentials; those of `lost` have to be issued again.
 */
export async function restoreBackup(file, lock) {
  const { content, backupKey, openKey } = await openBackup(file, lock);
  if ((await setting(BACKUP_KEY)) === null) {
    await setSetting(BACKUP_KEY, backupKey);
    await setSetting(SAVED_AT, Math.floor(Date.parse(backupKey.madeAt) / 1000) || nowSeconds());
  }
  const [keys, credentials] = await Promise.all([all("keys"), all("credentials")]);
  const slots = new Set(keys.map((key) => key.slot));
  const kids = new Set(keys.map((key) => key.kid));
  const newKeys = [];
  for (const key of content.keys.filter(({ kid, wrapped }) => wrapped !== null && !kids.has(kid))) {
    const pkcs8 = await openKey(key);
    newKeys.push(await sealKey(pkcs8, key.jwk, slots.has(key.slot) ? null : key.slot));
    pkcs8.fill(0);
    kids.add(key.kid);
  }
  const isUsable = ({ copies }) => copies.some(({ kid }) => kids.has(kid));
  const known = new Set(credentials.map(({ id }) => id));
  const missing = content.credentials.filter(({ id }) => !known.has(id));
  const [restored, lost] = [missing.filter(isUsable), missing.filter((each) => !isUsable(each))];
  const seen = new Set((await all("history")).map(({ id }) => id));
  await write([
    ...newKeys.map((key) => ["keys", key]),
    ...restored.map((credential) => ["credentials", credential]),
    ...content.history.filter(({ id }) => !seen.has(id)).map((entry) => ["history", entry]),
    ["settings", { name: LOST, value: lost }],
  ]);
  return { restored, lost };
}

/** What the last restoring could not bring back, until its holder has read it. */
export function listLost() {
  return setting(LOST, []);
}

export function forgetLost() {
  return setSetting(LOST, []);
}

function listBound(credentials) {
  return new Set(credentials.flatMap(({ copies }) => copies.map(({ kid }) => kid)));
}

function isCovered({ wrapped }, backupKey) {
  return Boolean(wrapped) && wrapped.to === backupKey?.publicKey;
}

// A key without a slot goes on signing for what is bound to it, and nothing new is.
async function retireKeys(isMeant) {
  const backupKey = await setting(BACKUP_KEY);
  const meant = (await all("keys")).filter((key) => key.slot !== null && !isCovered(key, backupKey) && isMeant(key));
  if (meant.length > 0) await write(meant.map((key) => ["keys", { ...key, slot: null }]));
}
