// What the pages say after a tap, in one place.

export const NOTHING = "Nothing was approved.";

const BY_SLUG = {
  "prompt-stale": "Please tap again.",
  "ceremony-failed": "We could not check your finger, face or PIN. Please tap again.",
  "device-locked": "This phone can’t approve any more. It can still stop transfers.",
  "device-too-new": "This phone was added after the transfer was started. It can still stop it.",
  "not-distinct": "This browser may be the one that started it. Use another device you added.",
  "assurance-too-low": "The passkey of this phone is copied to other devices. For this amount use another device you added.",
  expired: "Time ran out.",
  conflict: "This changed while you were looking.",
  "rate-limited": "There were too many tries. Wait a minute, then tap again.",
  "code-wrong": "These are not the numbers we sent. Check our message.",
  "code-used-up": "There were too many wrong numbers. This link has ended. Ask for a new one.",
  "link-ended": "This link has ended. Ask for a new one.",
  unavailable: "We can’t take approvals right now. Try again in a few minutes.",
};

export function forSlug(slug) {
  return BY_SLUG[slug] ?? "Something was not right. Look again, or try again in a minute.";
}

// Fills the answer box: one strong line, one sentence, and at most one way on.
export function say(box, strong, text, way) {
  const lines = [Object.assign(document.createElement("strong"), { textContent: strong })];
  if (text) lines.push(Object.assign(document.createElement("p"), { textContent: text }));
  if (way) lines.push(Object.assign(document.createElement("a"), { textContent: way.text, href: way.href, className: "btn" }));
  box.replaceChildren(...lines);
}

// Brings what a tap led to into view. Only after a tap: a page that opens must not jump past the transfer.
export function show(box) {
  if (box.hasChildNodes()) box.scrollIntoView({ block: "nearest" });
}

export function unsay(box) {
  box.replaceChildren();
}
