// The browser's side of web push, with nothing but Node's own crypto. `keys` makes a subscription's keys; `open` takes
// a request as it arrived and gives what it said: the plain text (RFC 8291) and the sender's token (RFC 8292).
import { createDecipheriv, createECDH, hkdfSync, createPublicKey, randomBytes, verify } from "node:crypto";

const bytes = (text) => Buffer.from(text, "base64url");
const curve = () => createECDH("prime256v1");

function keys() {
  const pair = curve();
  const p256dh = pair.generateKeys("base64url", "uncompressed");
  return { p256dh, auth: randomBytes(16).toString("base64url"), secret: pair.getPrivateKey("base64url") };
}

function decrypt(body, { p256dh, auth, secret }) {
  const [salt, recordSize, idLength] = [body.subarray(0, 16), body.readUInt32BE(16), body[20]];
  const sender = body.subarray(21, 21 + idLength);
  const record = body.subarray(21 + idLength);
  if (idLength !== 65 || record.length > recordSize) throw new Error("not one record of a sender with a P-256 key");
  const pair = curve();
  pair.setPrivateKey(secret, "base64url");
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), bytes(p256dh), sender]);
  const input = Buffer.from(hkdfSync("sha256", pair.computeSecret(sender), bytes(auth), info, 32));
  const key = Buffer.from(hkdfSync("sha256", input, salt, "Content-Encoding: aes128gcm\0", 16));
  const nonce = Buffer.from(hkdfSync("sha256", input, salt, "Content-Encoding: nonce\0", 12));
  const cipher = createDecipheriv("aes-128-gcm", key, nonce);
  cipher.setAuthTag(record.subarray(-16));
  const padded = Buffer.concat([cipher.update(record.subarray(0, -16)), cipher.final()]);
  const end = padded.findLastIndex((byte) => byte !== 0);
  if (padded[end] !== 2) throw new Error("not the last record");
  return padded.subarray(0, end).toString("utf8");
}

function token(authorization) {
  const [, jwt, key] = authorization.match(/^vapid t=([\w.-]+), k=([\w-]+)$/);
  const [header, claims, signature] = jwt.split(".");
  const point = bytes(key);
  const jwk = { kty: "EC", crv: "P-256" };
  jwk.x = point.subarray(1, 33).toString("base64url");
  jwk.y = point.subarray(33).toString("base64url");
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const signed = Buffer.from(`${header}.${claims}`);
  const genuine = verify("sha256", signed, { key: publicKey, dsaEncoding: "ieee-p1363" }, bytes(signature));
  return { header: JSON.parse(bytes(header)), claims: JSON.parse(bytes(claims)), key, genuine };
}

const [step, given] = process.argv.slice(-2);
if (step === "keys") {
  console.log(JSON.stringify(keys()));
} else {
  const { subscription, authorization, body } = JSON.parse(given);
  console.log(JSON.stringify({ plain: decrypt(bytes(body), subscription), token: token(authorization) }));
}
