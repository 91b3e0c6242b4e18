/**
 * Keeps the wallet's own files, so that it opens without a connection. The server puts a line before this one:
 * `const SHELL = {"name": ..., "files": {path: integrity}}`, so that a changed file is a new worker.
 *
 * Nothing else is ever kept or answered from here: offers, credentials and answers of issuers and platforms pass by.
 */

const SCOPE = new URL(self.registration.scope);
const PREFIX = "goodstanding-wallet-shell-";
const NAME = PREFIX + SHELL.name;

self.addEventListener("install", (event) => event.waitUntil(keepShell()));
self.addEventListener("activate", (event) => event.waitUntil(dropOlder()));
self.addEventListener("message", ({ data }) => {
  if (data === "use-this-version") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const kept = nameKept(event.request);
  if (kept) event.respondWith(answer(kept, event.request));
});

/** All of it or nothing: a file that isn't what the list says keeps the version before. */
async function keepShell() {
  const cache = await caches.open(NAME);
  const requests = Object.entries(SHELL.files).map(
    ([path, integrity]) => new Request(new URL(path, SCOPE), { integrity, cache: "no-cache", credentials: "omit" }),
  );
  await cache.addAll(requests);
}

async function dropOlder() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== NAME).map((name) => caches.delete(name)));
}

/** Return the address under which a file of ours is kept, or null for what is none of it. */
function nameKept({ method, url }) {
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== SCOPE.origin || !pathname.startsWith(SCOPE.pathname)) return null;
  const path = pathname.slice(SCOPE.pathname.length);
  return Object.hasOwn(SHELL.files, path) ? new URL(path, SCOPE).href : null;
}

async function answer(name, request) {
  const cache = await caches.open(NAME);
  return (await cache.match(name, { ignoreVary: true })) ?? fetch(request);
}
