// The holder's device: follows the approval; on the approve page it fetches a prompt, asks for the passkey and sends the approval.
// Rejecting and stopping are plain forms and need nothing of this.

import { fromB64u, fromText } from "./bytes.js";
import * as ceremony from "./ceremony.js";
import * as keys from "./keys.js";
import { follow, keepLeftTexts, runClock, serverNow } from "./live.js";
import "./times.js";
import { Unknown, go, post } from "./wire.js";
import { NOTHING, forSlug, say, show, unsay } from "./words.js";

const PROMPT_TAG = "countersign/devkey/prompt/v1";
const APPROVE_TAG = "countersign/devkey/approve/v1";
const RENEW_MS = 4 * 60_000;
// A prompt that ends sooner than this isn't worth starting on.
const MARGIN_MS = 20_000;

const { page, base, thumbprint, pageToken } = document.body.dataset;
const again = { text: "Look again", href: base };
let busy = false;

const look = follow(() => busy);
keepLeftTexts(look);
runClock(look);
if (page === "approve") approving();

async function approving() {
  const button = document.getElementById("approve");
  const box = document.getElementById("answer");
  const how = document.getElementById("how");
  const progress = document.getElementById("progress");
  let prompt = null;
  let renewing = null;
  let retryMs = 5_000;

  if (!ceremony.supported()) {
    cannot("This browser can’t approve.", "Update it, or use another device you added. You can still reject it here.");
    return;
  }
  let record;
  try {
    record = await keys.find(thumbprint);
  } catch {
    record = undefined;
  }
  if (!record) {
    cannot(
      "This browser has lost the key of this phone.",
      "It may have cleared its data. Use another device you added. You can still reject it here.",
    );
    return;
  }

  // Says so under the heading too, where the page said that one could.
  function cannot(strong, text, way) {
    say(box, strong, text, way);
    how.className = "answer";
    say(how, strong, text);
  }

  function fresh() {
    return prompt && Date.parse(prompt.expires_at) - serverNow() > MARGIN_MS;
  }

  function renew() {
    renewing ??= fetchPrompt().finally(() => {
      renewing = null;
    });
    return renewing;
  }

  async function fetchPrompt() {
    try {
      const signature = await keys.sign(record, PROMPT_TAG, fromText(pageToken));
      const reply = await post(`${base}/prompt`, { page_token: pageToken, thumbprint, signature });
      if (reply.ok) {
        if (!prompt) put(progress, "Ready to approve.");
        prompt = reply.answer;
        button.disabled = false;
        retryMs = 5_000;
        return;
      }
      if (!fresh()) {
        button.disabled = true;
        // Whatever changed, the server's page says it better than a line here.
        cannot("You can’t approve it on this page now.", forSlug(reply.slug), again);
      }
      if (reply.slug !== "rate-limited") return;
    } catch {
      if (!fresh()) {
        button.disabled = true;
        say(box, "We can’t reach our server.", "Nothing was approved. We keep trying.");
      }
    }
    setTimeout(async () => {
      await renew();
      if (fresh()) unsay(box);
    }, retryMs);
    retryMs = Math.min(retryMs * 2, 60_000);
  }

  async function tap() {
    unsay(box);
    if (!fresh()) {
      await renew();
      if (fresh()) say(box, NOTHING, "This page was open for long. Please tap again.");
      return;
    }
    const { options, sealed, challenge } = prompt;
    let assertion;
    let signature;
    try {
      assertion = await ceremony.get(options);
      signature = await keys.sign(record, APPROVE_TAG, fromB64u(challenge));
    } catch (error) {
      const why = ceremony.wasDismissed(error)
        ? "You closed the question for your finger, face or PIN, or it ran out. Tap again if you still want to send it."
        : "This phone could not ask for your finger, face or PIN. Try again, or use another device.";
      say(box, NOTHING, why);
      return;
    }
    put(progress, "Sending your approval.");
    try {
      const reply = await post(`${base}/approve`, { sealed, assertion, thumbprint, signature });
      if (reply.ok) {
        go(reply.answer.location);
        // Stay busy: the next page is on its way.
        await new Promise(() => {});
      }
      await refused(reply.slug);
    } catch (error) {
      if (!(error instanceof Unknown)) throw error;
      button.disabled = true;
      say(box, "We don’t know if your tap counted.", "Look before you tap again.", again);
    }
  }

  async function refused(slug) {
    const mayTapAgain = ["prompt-stale", "ceremony-failed", "rate-limited"].includes(slug);
    say(box, NOTHING, forSlug(slug), mayTapAgain ? undefined : again);
    prompt = null;
    button.disabled = true;
    if (!mayTapAgain) return;
    await renew();
    button.focus();
  }

  button.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    button.setAttribute("aria-disabled", "true");
    try {
      await tap();
    } finally {
      busy = false;
      button.removeAttribute("aria-disabled");
      put(progress, "");
      show(box);
    }
  });

  await renew();
  setInterval(() => busy || renew(), RENEW_MS);
  document.addEventListener("visibilitychange", () => document.hidden || busy || fresh() || renew());
}

function put(element, text) {
  element.textContent = text;
}
