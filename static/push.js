// Turns on notices on this phone.

import { fromB64u, toB64u } from "./bytes.js";
import { isIos, isOnHomeScreen } from "./platform.js";
import "./times.js";
import { post } from "./wire.js";

const PATIENCE_MS = 30_000;

const button = document.getElementById("notices");
const line = document.getElementById("notices-say");
// Home shows the card only to somebody who has notices off; the page of a new phone shows it always.
const card = document.getElementById("notices-card");
const possible = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

start();

async function start() {
  if (isIos() && !isOnHomeScreen()) {
    const ios = document.getElementById("ios");
    if (ios) ios.hidden = false;
    return;
  }
  if (!possible) {
    if (!card) line.textContent = "This browser can’t show notices. Our other messages still come.";
    return;
  }
  if (Notification.permission === "granted" && (await isOn())) {
    line.textContent = "Notices are on.";
    return;
  }
  if (Notification.permission === "denied") {
    if (!card) line.textContent = "Notices are blocked for this site. You can allow them in the browser’s settings.";
    return;
  }
  if (card) card.hidden = false;
  button.hidden = false;
  button.addEventListener("click", turnOn);
}

// That the browser has a subscription tells nobody anything: notices are on when the server has said that it knows it. Asking again for the
// same one changes nothing there, and mends a renewal that never arrived.
async function isOn() {
  try {
    const registration = await navigator.serviceWorker.getRegistration("/");
    const subscription = await registration?.pushManager.getSubscription();
    return Boolean(subscription) && (await isKnown(subscription.toJSON()));
  } catch {
    return false;
  }
}

async function isKnown(subscription) {
  return (await post("/push/subscribe", { subscription })).ok;
}

async function turnOn() {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  line.textContent = "One moment.";
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      line.textContent = "Notices stay off. You can turn them on later.";
      return;
    }
    if (!(await isKnown(await inTime(subscribe())))) throw new Error("the server doesn't know this browser's subscription");
    line.textContent = "Notices are on.";
    button.hidden = true;
  } catch {
    line.textContent = "That did not work. Try again in a minute.";
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

// Without a connection to the maker's push service a browser may wait for ever.
function inTime(work) {
  return Promise.race([work, new Promise((_, reject) => setTimeout(reject, PATIENCE_MS))]);
}

async function subscribe() {
  await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  const registration = await navigator.serviceWorker.ready;
  const response = await fetch("/push/key", { cache: "no-store" });
  if (!response.ok) throw new Error("no push key");
  const { public_key: key } = await response.json();
  const old = await registration.pushManager.getSubscription();
  // A subscription under another key of ours would get nothing.
  if (old && toB64u(old.options.applicationServerKey ?? new ArrayBuffer(0)) !== key) await old.unsubscribe();
  const fresh = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: fromB64u(key) });
  return fresh.toJSON();
}
