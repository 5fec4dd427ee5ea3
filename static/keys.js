// The device keys of this browser: P-256 pairs whose private half can't be exported, kept in IndexedDB.
// A signature by one of them shows which browser is speaking; it never stands in for the passkey.

import { fromText, lengthPrefixed, toB64u } from "./bytes.js";

const DATABASE = "countersign";
const STORE = "keys";
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const HASHED = { name: "ECDSA", hash: "SHA-256" };

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
    opening.onblocked = () => reject(new Error("the key store is in use"));
  });
}

async function inStore(mode, work) {
  const opened = await database();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = opened.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    opened.close();
  }
}

function place(thumbprint) {
  return `device:${thumbprint}`;
}

export function all() {
  return inStore("readonly", (store) => store.getAll());
}

export function find(thumbprint) {
  return inStore("readonly", (store) => store.get(place(thumbprint)));
}

// The public key as a JWK with the four members that RFC 7638 hashes, in its order.
export async function publicJwk(record) {
  const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", record.keyPair.publicKey);
  return { crv, kty, x, y };
}

export async function make() {
  const keyPair = await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
  const jwk = JSON.stringify(await publicJwk({ keyPair }));
  const thumbprint = toB64u(await crypto.subtle.digest("SHA-256", fromText(jwk)));
  return { thumbprint, deviceId: null, keyPair };
}

// Stores the record and proves that it can be read back and used: a private window may take a key and forget it.
export async function keep(record) {
  await inStore("readwrite", (store) => store.put(record, place(record.thumbprint)));
  const again = await find(record.thumbprint);
  const probe = fromText("countersign/devkey/probe/v1");
  const signature = await crypto.subtle.sign(HASHED, again.keyPair.privateKey, probe);
  if (!(await crypto.subtle.verify(HASHED, record.keyPair.publicKey, signature, probe))) {
    throw new Error("the key store gave back another key");
  }
}

// Asks the browser not to throw the key away when space gets short. It may say no; the page goes on.
export async function askToPersist() {
  try {
    return (await navigator.storage?.persist?.()) ?? false;
  } catch {
    return false;
  }
}

// A raw r||s signature over the tag and the parts, base64url.
export async function sign(record, tag, ...parts) {
  const bytes = lengthPrefixed([fromText(tag), ...parts]);
  return toB64u(await crypto.subtle.sign(HASHED, record.keyPair.privateKey, bytes));
}
