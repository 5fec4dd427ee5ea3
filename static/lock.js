// Unlocking what a link has locked: the device key asks for a prompt, passkey and device key sign it. Locking needs none of this.

import { fromB64u, fromText } from "./bytes.js";
import * as ceremony from "./ceremony.js";
import * as keys from "./keys.js";
import "./times.js";
import { Unknown, go, post } from "./wire.js";
import { forSlug, say, unsay } from "./words.js";

const PROMPT_TAG = "countersign/devkey/prompt/v1";
const LIFT_TAG = "countersign/devkey/lift/v1";

const { thumbprint, pageToken } = document.body.dataset;
const button = document.getElementById("lift");
const box = document.getElementById("answer");
const again = { text: "Look again", href: "/lock" };

async function lift(record) {
  const asking = await keys.sign(record, PROMPT_TAG, fromText(pageToken));
  const asked = await post("/lock/prompt", { page_token: pageToken, thumbprint, signature: asking });
  if (!asked.ok) return say(box, "It stays locked.", forSlug(asked.slug), again);
  const { options, sealed, challenge } = asked.answer;
  const assertion = await ceremony.get(options);
  const signature = await keys.sign(record, LIFT_TAG, fromB64u(challenge));
  const reply = await post("/lock/lift", { sealed, assertion, thumbprint, signature });
  if (!reply.ok) return say(box, "It stays locked.", forSlug(reply.slug), again);
  go(reply.answer.location);
}

async function start() {
  if (!ceremony.supported()) return say(box, "This browser can’t unlock.", "Use another device you added.");
  const record = await keys.find(thumbprint).catch(() => undefined);
  if (!record) return say(box, "This browser has lost the key of this phone.", "Use another device you added.");
  button.disabled = false;
  button.addEventListener("click", async () => {
    unsay(box);
    button.disabled = true;
    try {
      await lift(record);
    } catch (error) {
      if (error instanceof Unknown) say(box, "We don’t know if your tap counted.", "Look before you tap again.", again);
      else say(box, "It stays locked.", "Your phone could not ask for your finger, face or PIN, or you closed the question.");
    } finally {
      button.disabled = false;
    }
  });
}

start();
