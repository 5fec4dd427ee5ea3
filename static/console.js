// The console's script: signing in, making a passkey, signing what is on the page, and noticing that it has changed.

import * as ceremony from "./ceremony.js";
import { Unknown, go, post } from "./wire.js";
import { say, unsay } from "./words.js";

const POLL_MS = 5_000;

const { page, base, watch, version } = document.body.dataset;
const button = document.getElementById("go");
const box = document.getElementById("answer");
let busy = false;
let touched = false;

const WORDS = {
  "ceremony-failed": "The passkey wasn’t accepted. Try again, or ask an admin.",
  "prompt-stale": "This took too long, or something changed. Try again.",
  "code-wrong": "These aren’t the right numbers. Ask the admin who has them.",
  "code-used-up": "There were too many wrong numbers. The invite has ended.",
  "link-ended": "The invite has ended. Ask for a new one.",
  "signed-out": "You were signed out. Sign in again.",
  "rate-limited": "There were too many tries. Wait a minute.",
  "invalid-request": "Something in the form isn’t right. Check each field; an admin can’t be a signer.",
  forbidden: "You can’t do this.",
  conflict: "This changed while you were looking. Load the page again.",
};

class Refused extends Error {
  constructor({ slug, errors }) {
    super(slug);
    this.slug = slug;
    this.errors = errors;
  }
}

async function ask(path, body) {
  const reply = await post(path, body);
  if (!reply.ok) throw new Refused(reply);
  return reply.answer;
}

async function signIn() {
  const asked = await ask("/sign-in/start", {});
  const assertion = await ceremony.get(asked.options);
  return ask("/sign-in/finish", { sealed: asked.sealed, assertion });
}

async function join() {
  const code = document.getElementById("code")?.value ?? null;
  const making = await ask(`${base}/start`, { code });
  const registration = await ceremony.create(making.options);
  const proving = await ask(`${base}/prove`, { sealed: making.sealed, registration });
  const assertion = await ceremony.get(proving.options);
  return ask(`${base}/finish`, { sealed: proving.sealed, assertion });
}

// Every field of the form once; the check boxes of one name become a list.
function fields(form) {
  const all = {};
  for (const input of form.querySelectorAll("input[name], select[name], textarea[name]")) {
    if (input.type === "checkbox") {
      all[input.name] ??= [];
      if (input.checked) all[input.name].push(input.value);
    } else {
      all[input.name] = input.value;
    }
  }
  return all;
}

async function sign(form) {
  const asked = await ask(form.dataset.prompt, fields(form));
  const assertion = await ceremony.get(asked.options);
  return ask(form.dataset.store, { sealed: asked.sealed, assertion });
}

// Puts each broken rule beside its field, and the focus into the first of them. What was typed stays.
function point(form, errors) {
  const marked = new Map();
  for (const { field, message } of errors) {
    const input = form.querySelector(`[name="${CSS.escape(field)}"]`);
    if (!input || marked.has(input)) continue;
    const line = document.createElement("p");
    Object.assign(line, { id: `${field}-e`, className: "bad", textContent: `${message[0].toUpperCase()}${message.slice(1)}.` });
    (input.closest("label") ?? input).before(line);
    input.closest(".field").classList.add("field--bad");
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", [input.getAttribute("aria-describedby"), line.id].filter(Boolean).join(" "));
    marked.set(input, line);
  }
  marked.keys().next().value?.focus();
  return marked.size > 0;
}

function unpoint() {
  for (const input of document.querySelectorAll("[aria-invalid]")) {
    const line = document.getElementById(`${input.name}-e`);
    const others = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== line?.id);
    line?.remove();
    input.closest(".field").classList.remove("field--bad");
    input.removeAttribute("aria-invalid");
    if (others.length) input.setAttribute("aria-describedby", others.join(" "));
    else input.removeAttribute("aria-describedby");
  }
}

function said(error) {
  if (error instanceof Refused && point(document.getElementById("sign") ?? document.body, error.errors)) {
    say(box, "Nothing was done.", "What is wrong stands beside the field.");
  } else if (error instanceof Refused) say(box, "Nothing was done.", WORDS[error.slug] ?? "Something was not right. Try again.");
  else if (error instanceof Unknown) say(box, "We don’t know if this counted.", "Load the page again and look.");
  else if (ceremony.wasDismissed(error)) say(box, "Nothing was done.", "You closed the question for your passkey, or it ran out.");
  else say(box, "Nothing was done.", "This browser could not use a passkey.");
}

async function act(work) {
  if (busy) return;
  busy = true;
  unsay(box);
  unpoint();
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await work();
    if (answer.link) {
      // Shown once, here, and nowhere again.
      say(box, "Signed by two. Give the new person this link:", answer.link, { text: "Go on", href: answer.location });
      for (const form of document.querySelectorAll(".case__decide form[method=post]")) form.hidden = true;
      button.hidden = true;
    } else {
      go(answer.location);
    }
  } catch (error) {
    said(error);
  } finally {
    busy = false;
    button.removeAttribute("aria-disabled");
  }
}

function start() {
  if (!button) return;
  if (!ceremony.supported()) {
    say(box, "This browser can’t be used here.", "It knows no passkeys.");
    return;
  }
  button.disabled = false;
  const form = document.getElementById("sign") ?? document.getElementById("join");
  if (page === "sign-in") {
    button.addEventListener("click", () => act(signIn));
  } else if (form) {
    form.addEventListener("input", () => (touched = true));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act(() => (page === "join" ? join() : sign(form)));
    });
  }
}

async function look() {
  if (document.hidden || busy || touched) return;
  try {
    const response = await fetch(watch, { headers: { accept: "application/json" }, cache: "no-store" });
    if (response.status === 401) location.assign("/sign-in");
    // Loaded again by itself, which isn't use: an open page alone keeps nobody signed in.
    if (response.ok && (await response.json()).version !== version) location.replace(`${location.pathname}?live`);
  } catch {
    // The next look may do better.
  }
}

if (location.search === "?live") history.replaceState(null, "", location.pathname);
start();
if (watch) setInterval(look, POLL_MS);
