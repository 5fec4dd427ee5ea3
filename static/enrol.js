// Adds this phone: makes its device key, proves that the browser keeps it, registers a passkey and signs with both.
// Saying no is a plain form and needs nothing of this.

import { fromB64u } from "./bytes.js";
import * as ceremony from "./ceremony.js";
import { isIos, isOnHomeScreen } from "./platform.js";
import * as keys from "./keys.js";
import { keepLeftTexts } from "./live.js";
import "./times.js";
import { Unknown, go, post } from "./wire.js";
import { forSlug, say, show, unsay } from "./words.js";

const TAG = "countersign/enrol/v1";
const NOT_ADDED = "This phone was not added.";
// With these the link has ended, and nothing on the page can be done any more.
const OVER = ["link-ended", "code-used-up"];

const { base } = document.body.dataset;
const form = document.getElementById("enrol");
const button = document.getElementById("add");
const box = document.getElementById("answer");
const progress = document.getElementById("progress");
const title = document.title;
const LABEL = button.textContent;

let busy = false;
let record = null;
// The server has the passkey and waits for the last check; a further tap goes on from here.
let proving = null;

keepLeftTexts();
if (isIos() && !isOnHomeScreen()) document.getElementById("ios").hidden = false;
if (ceremony.supported()) {
  button.disabled = false;
  form.addEventListener("submit", submitted);
} else {
  say(box, "This browser can’t be added.", "It knows no passkeys. Update it, or open this link in another browser.");
}

async function submitted(event) {
  event.preventDefault();
  if (busy) return;
  unsay(box);
  if (!valid()) return;
  busy = true;
  button.setAttribute("aria-disabled", "true");
  try {
    await add();
  } catch (error) {
    said(error);
  } finally {
    busy = false;
    button.removeAttribute("aria-disabled");
    progress.textContent = "";
    show(box);
  }
}

function field(name) {
  return document.getElementById(name);
}

function codeTyped() {
  return field("code")?.value.replace(/\s/g, "") ?? null;
}

function valid() {
  const bad = [];
  if (field("code") && !/^[0-9]{6}$/.test(codeTyped())) bad.push(["code", "Type the 6 numbers from our message."]);
  if (field("name").value.trim() === "") bad.push(["name", "Give this phone a name."]);
  showErrors(bad);
  return bad.length === 0;
}

// A summary with the focus, and the same words at each field.
function showErrors(bad) {
  const summary = document.getElementById("errors");
  for (const name of ["code", "name"]) {
    const input = field(name);
    if (!input) continue;
    const words = bad.find(([at]) => at === name)?.[1];
    const line = document.getElementById(`${name}-bad`);
    line.hidden = !words;
    line.replaceChildren(...(words ? [hidden("Error: "), words] : []));
    document.getElementById(`${name}-field`).classList.toggle("field--bad", Boolean(words));
    if (words) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    input.setAttribute("aria-describedby", words ? `${name}-bad ${name}-hint` : `${name}-hint`);
  }
  document.getElementById("errors-list").replaceChildren(
    ...bad.map(([name, words]) => {
      const item = document.createElement("li");
      item.append(Object.assign(document.createElement("a"), { href: `#${name}`, textContent: words }));
      return item;
    }),
  );
  summary.hidden = bad.length === 0;
  document.title = bad.length ? `Error: ${title}` : title;
  if (bad.length) summary.focus();
}

function hidden(text) {
  return Object.assign(document.createElement("span"), { className: "hidden", textContent: text });
}

// A refusal by the server, with its slug.
class Refused extends Error {
  constructor(slug) {
    super(slug);
    this.slug = slug;
  }
}

class NoKeyStore extends Error {}

async function ask(step, body) {
  const reply = await post(`${base}/${step}`, body);
  if (!reply.ok) throw new Refused(reply.slug);
  return reply.answer;
}

async function add() {
  if (!proving) {
    await ready();
    const started = await ask("start", {
      code: codeTyped(),
      name: field("name").value.trim(),
      device_key: await keys.publicJwk(record),
    });
    progress.textContent = "Your phone asks for your finger, face or PIN.";
    const registration = await ceremony.create(started.options);
    proving = await ask("prove", { sealed: started.sealed, registration });
  }
  let assertion;
  try {
    assertion = await ceremony.get(proving.options);
  } catch (error) {
    // Some browsers want a tap of its own for the second question.
    button.textContent = "Check it once more";
    say(box, "One more step.", "Tap “Check it once more” and use your finger, face or PIN again.");
    if (ceremony.wasDismissed(error)) return;
    throw error;
  }
  const signature = await keys.sign(record, TAG, fromB64u(proving.challenge));
  const done = await ask("finish", { sealed: proving.sealed, assertion, signature });
  record.deviceId = done.device_id;
  // The key is stored already; only its label is new, so a failure here changes nothing.
  await keys.keep(record).catch(() => {});
  go(done.location);
  await new Promise(() => {});
}

// The key is stored and read back before the server hears of it, so that a code isn't spent on a browser that forgets.
async function ready() {
  if (record) return;
  try {
    await keys.askToPersist();
    const made = await keys.make();
    await keys.keep(made);
    record = made;
  } catch (cause) {
    throw new NoKeyStore("no key store", { cause });
  }
}

function said(error) {
  if (error instanceof Refused) {
    if (error.slug === "code-wrong" && field("code")) {
      showErrors([["code", forSlug(error.slug)]]);
      return;
    }
    startOver();
    if (OVER.includes(error.slug)) over();
    say(box, NOT_ADDED, forSlug(error.slug));
  } else if (error instanceof Unknown) {
    startOver();
    say(box, "We don’t know if this phone was added.", "Look before you try again.", { text: "Look", href: "/e/done" });
  } else if (error instanceof NoKeyStore) {
    say(box, NOT_ADDED, "This browser can’t keep a key. It may be a private window. Open the link in a normal one.");
  } else if (error?.name === "InvalidStateError") {
    say(box, "This phone is added already.", "You can go to your approvals.", { text: "Go to your approvals", href: "/" });
  } else if (ceremony.wasDismissed(error)) {
    say(box, NOT_ADDED, "You closed the question for your finger, face or PIN, or it ran out. Tap again to go on.");
  } else {
    say(box, NOT_ADDED, "This phone could not make a passkey. Set a screen lock, or use another browser.");
  }
}

// What asks goes, also the way to say no: there is nothing left to say it to. The answer stands where the question stood.
function over() {
  for (const part of document.querySelectorAll("[data-asks], #stop, a.skip[href='#stop']")) part.hidden = true;
  document.getElementById("title").textContent = "This link has ended";
  document.title = document.title.replace(title.split(" – ")[0], "This link has ended");
  document.getElementById("lead").replaceWith(box);
  document.getElementById("ended").hidden = false;
  form.hidden = true;
  scrollTo(0, 0);
}

function startOver() {
  proving = null;
  button.textContent = LABEL;
}
