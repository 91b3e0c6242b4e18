/**
 * What the wallet keeps, in this browser alone: an IndexedDB that several tabs share.
 *
 * keys:        {kid, jwk, privateKey (CryptoKey, not extractable), slot?, createdAt, wrapped?}
 * credentials: see `records.js`
 * offers:      how far an offer was redeemed; see `receive.js`
 * requests:    how far a request was answered; see `present.js`
 * history:     who saw what; see `present.js`
 * settings:    {name, value}
 */

import { WalletError } from "./errors.js";

const NAME = "goodstanding-wallet";
const VERSION = 1;
const STORES = { keys: "kid", credentials: "id", offers: "id", requests: "id", history: "id", settings: "name" };
const MARK = "goodstanding-wallet-holds";

const changes = new BroadcastChannel(NAME);
const listeners = new Set();
changes.addEventListener("message", () => tell());

let opening = null;

/** @returns {Promise<object|undefined>} */
export async function get(store, key) {
  return run([store], "readonly", (transaction) => transaction.objectStore(store).get(key));
}

/** @returns {Promise<object[]>} */
export async function all(store) {
  return run([store], "readonly", (transaction) => transaction.objectStore(store).getAll());
}

export async function put(store, value) {
  await write([[store, value]]);
}

/** Write all of it or nothing: `[[store, value], ...]`; a value `{remove: key}` takes a record away. */
export async function write(entries) {
  if (!entries.some(([name]) => name === "credentials")) await writeAll(entries);
  else await exclusively("holdings", () => writeHoldings(entries));
  changes.postMessage("changed");
  tell();
}

// A loss that nobody has read of stays one, whatever is written since.
async function writeHoldings(entries) {
  const missing = Math.max(0, readMark() - (await all("credentials")).length);
  await writeAll(entries);
  await markHoldings(missing);
}

async function writeAll(entries) {
  const names = [...new Set(entries.map(([name]) => name))];
  await run(names, "readwrite", (transaction) => {
    for (const [name, value] of entries) {
      const store = transaction.objectStore(name);
      if (Object.hasOwn(value, "remove")) store.delete(value.remove);
      else store.put(value);
    }
  });
}

export async function remove(store, key) {
  await write([[store, { remove: key }]]);
}

export async function setting(name, fallback = null) {
  return (await get("settings", name))?.value ?? fallback;
}

export async function setSetting(name, value) {
  await put("settings", { name, value });
}

/** Call `listener` whenever this tab or another one has written. @returns a function that ends it. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Let one tab at a time do what must not be done twice, such as redeeming one offer. */
export async function exclusively(name, act) {
  return navigator.locks.request(`${NAME}:${name}`, act);
}

/**
 * Tell whether the browser threw away what was kept: credentials that are marked as held and are gone, or keys that
 * credentials need and that are gone.
 * @returns {Promise<{credentials: number, keys: number}>} How many are missing.
 */
export async function findLosses() {
  const [credentials, keys] = await Promise.all([all("credentials"), all("keys")]);
  const known = new Set(keys.map((key) => key.kid));
  const orphans = credentials.filter((each) => !each.copies.some((copy) => known.has(copy.kid)));
  return { credentials: Math.max(0, readMark() - credentials.length), keys: orphans.length };
}

/** The person has read what was lost. */
export async function acceptLosses() {
  await markHoldings();
  tell();
}

function tell() {
  for (const listener of listeners) listener();
}

// Outside the database on purpose: it outlives a database that a browser or a person removed alone.
async function markHoldings(missing = 0) {
  try {
    localStorage.setItem(MARK, String((await all("credentials")).length + missing));
  } catch {
    // Without it, a loss isn't noticed; the wallet works all the same.
  }
}

function readMark() {
  try {
    return Number(localStorage.getItem(MARK)) || 0;
  } catch {
    return 0;
  }
}

async function run(names, mode, act) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, mode, { durability: "strict" });
    const request = act(transaction);
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(storageError(transaction.error));
    transaction.onerror = () => reject(storageError(transaction.error));
  });
}

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => upgrade(request.result);
    request.onerror = () => reject(storageError(request.error));
    request.onblocked = () => reject(new WalletError("other_tab_is_older"));
    request.onsuccess = () => resolve(watch(request.result));
  }).catch((error) => {
    opening = null;
    throw error;
  });
  return opening;
}

function upgrade(database) {
  for (const [name, keyPath] of Object.entries(STORES)) {
    if (!database.objectStoreNames.contains(name)) database.createObjectStore(name, { keyPath });
  }
}

// A newer wallet in another tab may change the database; a database that was removed is opened anew.
function watch(database) {
  database.onversionchange = () => {
    database.close();
    opening = null;
  };
  database.onclose = () => {
    opening = null;
  };
  return database;
}

function storageError(cause) {
  const key = cause?.name === "QuotaExceededError" ? "storage_full" : "storage_failed";
  return new WalletError(key, { code: cause?.name ?? "", cause });
}
