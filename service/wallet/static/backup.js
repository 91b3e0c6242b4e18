/**
 * Backups that open only by a passphrase or a passkey.
 *
 * A backup key is a P-256 key pair for encryption and an authentication key. The wallet keeps the public half, to seal
 * with, and the authentication key, to sign files with; neither opens anything. The private half exists only locked, by
 * the passphrase or the passkey. So the running wallet, and whatever might run in it, can't get a key back out of its
 * own backup copies.
 */

import { WalletError } from "./errors.js";
import { decodeBase64Url, encodeBase64Url, encodeJson, encodeText } from "./jose.js";

const FORMAT = "goodstanding-wallet-backup";
const VERSION = 1;
const BEGINNING = `{"format":"${FORMAT}"`;
export const MAX_FILE_BYTES = 20_000_000;

const ITERATIONS = 600_000; // OWASP's least for PBKDF2 with HMAC-SHA-256
const MAX_ITERATIONS = 10_000_000; // a file that asks for more would stop the page for minutes
export const MIN_PASSPHRASE_LENGTH = 10;

const ECDH = { name: "ECDH", namedCurve: "P-256" };
const ECDSA = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const HMAC = { name: "HMAC", hash: "SHA-256" };

const random = (length) => crypto.getRandomValues(new Uint8Array(length));
const toBase64url = (buffer) => encodeBase64Url(new Uint8Array(buffer));
const parseBytes = (buffer) => JSON.parse(new TextDecoder().decode(buffer));

/**
 * @typedef {object} BackupKey What the wallet keeps; structured-cloneable, holds no secret that opens a backup.
 * @property {string} publicKey Raw P-256 point, base64url.
 * @property {CryptoKey} authentication HMAC key that signs, and can't be exported.
 * @property {object[]} locks The locked private half.
 * @property {string} madeAt ISO instant.
 *
 * @typedef {object} Lock How the holder opens a backup.
 * @property {"passphrase"|"passkey"} kind
 * @property {string} [passphrase]
 * @property {{credentialId: string, salt: string, secret: Uint8Array}} [passkey] As `passkey.js` gives it.
 */

/**
 * Make a backup key and lock its private half.
 *
 * @param {Lock} lock
 * @returns {Promise<BackupKey>}
 * @throws {WalletError} `backup_passphrase_short`.
 */
export async function makeBackupKey(lock) {
  const pair = await crypto.subtle.generateKey(ECDH, true, ["deriveBits"]);
  const privateHalf = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const authentication = random(32);
  try {
    return {
      publicKey: toBase64url(await crypto.subtle.exportKey("raw", pair.publicKey)),
      authentication: await crypto.subtle.importKey("raw", authentication, HMAC, false, ["sign"]),
      locks: [await closeLock(lock, { privateHalf, authentication })],
      madeAt: new Date().toISOString(),
    };
  } finally {
    privateHalf.fill(0);
    authentication.fill(0);
  }
}

/**
 * Seal the private half of a holder key for the backup.
 *
 * @param {BackupKey} backupKey
 * @param {Uint8Array} pkcs8
 * @param {string} kid Thumbprint of the key; the copy opens under no other.
 * @returns {Promise<object>} JSON to keep beside the key; `to` says which backup key opens it.
 */
export async function wrapForBackup({ publicKey }, pkcs8, kid) {
  return { to: publicKey, ...(await seal(publicKey, pkcs8, `key ${kid}`)) };
}

/**
 * Put another lock in the place of the present ones. Files that were saved before open as they did.
 *
 * @param {BackupKey} backupKey
 * @param {Lock} present
 * @param {Lock} next
 * @returns {Promise<BackupKey>}
 * @throws {WalletError} `backup_wrong_passphrase`, `backup_wrong_passkey` or `backup_passphrase_short`.
 */
export async function changeLock(backupKey, present, next) {
  return { ...backupKey, locks: [await closeLock(next, await openLocks(backupKey.locks, present))] };
}

/**
 * Write a backup file.
 *
 * @param {BackupKey} backupKey
 * @param {object} content JSON; `content.keys` is `[{kid, jwk, wrapped}]`, `wrapped` null for a key without a copy.
 * @returns {Promise<string>}
 */
export async function writeBackup(backupKey, content) {
  const { publicKey, locks } = backupKey;
  const header = { format: FORMAT, version: VERSION, made_at: new Date().toISOString(), public_key: publicKey, locks };
  const sealed = await seal(publicKey, encodeJson(content), "content");
  const tag = await crypto.subtle.sign("HMAC", backupKey.authentication, signedPart({ ...header, sealed }));
  return JSON.stringify({ ...header, sealed, tag: toBase64url(tag) });
}

/**
 * Read a backup file as far as that goes without its secret.
 *
 * @param {string} text
 * @returns {object} The file; its `locks` say what opens it, its `made_at` when it was made.
 * @throws {WalletError} `backup_truncated`, `backup_foreign`, `backup_newer` or `backup_damaged`.
 */
export function readBackup(text) {
  const file = parseFile(text);
  if (file?.format !== FORMAT) throw new WalletError("backup_foreign");
  if (!Number.isInteger(file.version) || file.version < 1) throw new WalletError("backup_damaged");
  if (file.version > VERSION) throw new WalletError("backup_newer");
  const locks = Array.isArray(file.locks) && file.locks.length > 0 && file.locks.every(isLock);
  if (!locks || ![file.made_at, file.public_key, file.tag].every((each) => typeof each === "string")) {
    throw new WalletError("backup_damaged");
  }
  return file;
}

/**
 * Open a file that `readBackup` read.
 *
 * @param {object} file
 * @param {Lock} lock
 * @returns {Promise<{content: object, backupKey: BackupKey, openKey: (key: object) => Promise<Uint8Array>}>} `openKey`
 *   gives the PKCS #8 of one of `content.keys`, to be imported as what can't be exported, and forgotten.
 * @throws {WalletError} `backup_wrong_passphrase`, `backup_wrong_passkey` or `backup_damaged`.
 */
export async function openBackup(file, lock) {
  const secret = await openLocks(file.locks, lock);
  try {
    const authentication = await crypto.subtle.importKey("raw", secret.authentication, HMAC, false, ["sign", "verify"]);
    const genuine = await crypto.subtle.verify("HMAC", authentication, decodeBase64Url(file.tag), signedPart(file));
    if (!genuine) throw new WalletError("backup_damaged");
    const opener = await crypto.subtle.importKey("pkcs8", secret.privateHalf, ECDH, false, ["deriveBits"]);
    const content = parseBytes(await open(opener, file.sealed, "content"));
    const signer = await crypto.subtle.importKey("raw", secret.authentication, HMAC, false, ["sign"]);
    const backupKey = { publicKey: file.public_key, authentication: signer, locks: file.locks, madeAt: file.made_at };
    return { content, backupKey, openKey: (key) => openKey(opener, key) };
  } catch (error) {
    throw error instanceof WalletError ? error : new WalletError("backup_damaged");
  } finally {
    secret.privateHalf.fill(0);
    secret.authentication.fill(0);
  }
}

/**
 * Guess how well a passphrase resists guessing, from its length and variety; words that go together are not noticed.
 *
 * @returns {"short"|"weak"|"fair"|"good"}
 */
export function judgePassphrase(passphrase) {
  const characters = [...passphrase];
  if (characters.length < MIN_PASSPHRASE_LENGTH) return "short";
  const different = new Set(characters).size;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(passphrase)).length;
  const strength = Math.min(characters.length, 2 * different) + 2 * kinds;
  return strength < 18 ? "weak" : strength < 26 ? "fair" : "good";
}

function parseFile(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new WalletError(text.startsWith(BEGINNING) ? "backup_truncated" : "backup_foreign");
  }
}

function isLock(lock) {
  if (lock?.kind === "passkey") return typeof lock.credential_id === "string" && typeof lock.salt === "string";
  const count = lock?.iterations;
  return lock?.kind === "passphrase" && Number.isInteger(count) && count >= ITERATIONS && count <= MAX_ITERATIONS;
}

/** The bytes that the tag stands for: all members of the file but the tag itself, in their order. */
function signedPart({ format, version, made_at, public_key, locks, sealed }) {
  return encodeJson([format, version, made_at, public_key, locks, sealed]);
}

async function closeLock(lock, { privateHalf, authentication }) {
  const opened = encodeJson([toBase64url(privateHalf), toBase64url(authentication)]);
  const iv = random(12);
  const closed = async (parameters, key) => {
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, opened);
    return { ...parameters, iv: toBase64url(iv), sealed: toBase64url(sealed) };
  };
  if (lock.kind === "passkey") {
    const { credentialId, salt, secret } = lock.passkey;
    return closed({ kind: "passkey", credential_id: credentialId, salt }, await keyFromPasskey(secret));
  }
  if ([...lock.passphrase].length < MIN_PASSPHRASE_LENGTH) throw new WalletError("backup_passphrase_short", { values: { least: MIN_PASSPHRASE_LENGTH } });
  const parameters = { kind: "passphrase", iterations: ITERATIONS, salt: toBase64url(random(16)) };
  return closed(parameters, await keyFromPassphrase(lock.passphrase, parameters));
}

async function openLocks(locks, lock) {
  for (const each of locks.filter(({ kind }) => kind === lock.kind)) {
    if (lock.kind === "passkey" && each.credential_id !== lock.passkey.credentialId) continue;
    try {
      const isPasskey = lock.kind === "passkey";
      const key = await (isPasskey ? keyFromPasskey(lock.passkey.secret) : keyFromPassphrase(lock.passphrase, each));
      const algorithm = { name: "AES-GCM", iv: decodeBase64Url(each.iv) };
      const opened = await crypto.subtle.decrypt(algorithm, key, decodeBase64Url(each.sealed));
      const [privateHalf, authentication] = parseBytes(opened).map(decodeBase64Url);
      return { privateHalf, authentication };
    } catch {
      continue; // another lock may be the one
    }
  }
  throw new WalletError(lock.kind === "passkey" ? "backup_wrong_passkey" : "backup_wrong_passphrase");
}

async function keyFromPassphrase(passphrase, { salt, iterations }) {
  const typed = encodeText(passphrase.normalize("NFKC")); // the same characters from another keyboard
  const material = await crypto.subtle.importKey("raw", typed, "PBKDF2", false, ["deriveKey"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt: decodeBase64Url(salt), iterations };
  return crypto.subtle.deriveKey(algorithm, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

function keyFromPasskey(secret) {
  return stretch(secret, new Uint8Array(), `${FORMAT} passkey`, ["encrypt", "decrypt"]);
}

async function stretch(secret, salt, info, usages) {
  const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt, info: encodeText(info) };
  return crypto.subtle.deriveKey(algorithm, material, { name: "AES-GCM", length: 256 }, false, usages);
}

/** Encrypt to the public half with a key that is used once; `purpose` must be the same when it is opened. */
async function seal(publicKey, bytes, purpose) {
  const recipient = await crypto.subtle.importKey("raw", decodeBase64Url(publicKey), ECDH, false, []);
  const once = await crypto.subtle.generateKey(ECDH, false, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", once.publicKey));
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: recipient }, once.privateKey, 256);
  const key = await stretch(shared, point, `${FORMAT} ${purpose}`, ["encrypt"]);
  const iv = random(12);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, bytes);
  return { point: toBase64url(point), iv: toBase64url(iv), sealed: toBase64url(sealed) };
}

async function open(opener, { point, iv, sealed }, purpose) {
  const raw = decodeBase64Url(point);
  const sender = await crypto.subtle.importKey("raw", raw, ECDH, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: sender }, opener, 256);
  const key = await stretch(shared, raw, `${FORMAT} ${purpose}`, ["decrypt"]);
  return crypto.subtle.decrypt({ name: "AES-GCM", iv: decodeBase64Url(iv) }, key, decodeBase64Url(sealed));
}

/** Unwrap a holder key, and give it out only if it belongs to the public key that credentials are bound to. */
async function openKey(opener, { kid, jwk, wrapped }) {
  const pkcs8 = new Uint8Array(await open(opener, wrapped, `key ${kid}`));
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, ECDSA, false, ["sign"]);
  const publicKey = await crypto.subtle.importKey("jwk", jwk, ECDSA, true, ["verify"]);
  const challenge = random(32);
  const signature = await crypto.subtle.sign(SIGNATURE, key, challenge);
  if (!(await crypto.subtle.verify(SIGNATURE, publicKey, signature, challenge))) throw new WalletError("backup_damaged");
  return pkcs8;
}
