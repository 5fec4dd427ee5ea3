// Reloads the page when the exchange has something new to show. It only looks; it never decides.

const LOOK_MS = 1_000;
const { status, stamp } = document.body.dataset;

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(status, { cache: "no-store" });
    if (answer.ok && String((await answer.json()).stamp) !== stamp) location.reload();
  } catch {
    // The demo was stopped; the page stays as it is.
  }
}

setInterval(look, LOOK_MS);
document.addEventListener("visibilitychange", look);
addEventListener("pageshow", (event) => event.persisted && location.reload());
