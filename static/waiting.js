// The browser that started the transfer: it presents every device key it holds, so that none of them can approve, then follows the approval.

import { fromText } from "./bytes.js";
import * as keys from "./keys.js";
import { follow, keepLeftTexts, runClock } from "./live.js";
import "./times.js";
import { post } from "./wire.js";
import { say, unsay } from "./words.js";

const TAG = "countersign/devkey/wait/v1";
const MOST_KEYS = 16;

const { page, base, pageToken } = document.body.dataset;
const again = { text: "Check again", href: base };

// While a request to be noted is under way the page stays, or it would say on its way out that nobody answered.
let asking = false;

const look = follow(() => asking);
keepLeftTexts(look);
runClock(look);
if (page === "waiting") present();

// A browser without a key store holds no device key either.
async function presented() {
  let records = [];
  try {
    records = await keys.all();
  } catch {
    return [];
  }
  // Those of a device first: each enrolment that came to nothing left a key, and the server takes no more than these.
  records.sort((one, other) => Boolean(other.deviceId) - Boolean(one.deviceId));
  return Promise.all(
    records.slice(0, MOST_KEYS).map(async (record) => ({
      thumbprint: record.thumbprint,
      public_key: await keys.publicJwk(record),
      signature: await keys.sign(record, TAG, fromText(pageToken)),
    })),
  );
}

async function noted(found) {
  asking = true;
  try {
    return await post(`${base}/open`, { page_token: pageToken, keys: found });
  } finally {
    asking = false;
  }
}

async function present() {
  const box = document.getElementById("answer");
  // Inside another site's frame the cookies aren't ours; the server refuses frames, and so do we.
  if (window.top !== window.self) return;
  for (let pause = 2_000; ; pause = Math.min(pause * 2, 30_000)) {
    try {
      const reply = await noted(await presented());
      if (reply.ok) {
        unsay(box);
        return;
      }
      if (reply.slug !== "rate-limited") {
        say(box, "We could not check this browser.", "Until we have, nothing can be approved. You can still stop it.", again);
        return;
      }
    } catch {
      say(box, "We can’t reach our server.", "Nothing can be approved yet. We keep trying.");
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
