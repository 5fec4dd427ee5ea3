// The passkey ceremonies, with options and answers as JSON.

import { fromB64u, toB64u } from "./bytes.js";

export function supported() {
  return (
    window.isSecureContext &&
    "PublicKeyCredential" in window &&
    typeof navigator.credentials?.get === "function" &&
    "indexedDB" in window &&
    typeof crypto?.subtle?.sign === "function"
  );
}

// Browsers before 2025 know passkeys but not their JSON form; these lines say the same by hand.
function descriptors(list) {
  return list?.map((one) => ({ ...one, id: fromB64u(one.id) }));
}

function requestOptions(json) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) {
    return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  }
  const { extensions: _, ...rest } = json;
  return { ...rest, challenge: fromB64u(json.challenge), allowCredentials: descriptors(json.allowCredentials) };
}

function creationOptions(json) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) {
    return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  }
  const { extensions: _, ...rest } = json;
  return {
    ...rest,
    challenge: fromB64u(json.challenge),
    user: { ...json.user, id: fromB64u(json.user.id) },
    excludeCredentials: descriptors(json.excludeCredentials) ?? [],
  };
}

function asJson(credential) {
  if (credential.toJSON) return credential.toJSON();
  const response = credential.response;
  const json = {
    id: credential.id,
    rawId: toB64u(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { clientDataJSON: toB64u(response.clientDataJSON) },
  };
  if (response.attestationObject) {
    json.response.attestationObject = toB64u(response.attestationObject);
    json.response.transports = response.getTransports?.() ?? [];
  } else {
    json.response.authenticatorData = toB64u(response.authenticatorData);
    json.response.signature = toB64u(response.signature);
    if (response.userHandle) json.response.userHandle = toB64u(response.userHandle);
  }
  return json;
}

export async function create(options) {
  return asJson(await navigator.credentials.create({ publicKey: creationOptions(options) }));
}

export async function get(options) {
  return asJson(await navigator.credentials.get({ publicKey: requestOptions(options) }));
}

// The person closed the sheet, or let it run out. Browsers don't tell which, to protect them.
export function wasDismissed(error) {
  return error?.name === "NotAllowedError" || error?.name === "AbortError";
}
