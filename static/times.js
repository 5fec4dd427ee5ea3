// Every moment on the page by the reader's own clock: whoever is frightened shouldn't have to count hours. Without scripts the page keeps UTC, and says so.

const DAY_MS = 86_400_000;

const names = new Intl.DateTimeFormat(`${document.documentElement.lang || "en"}-GB`, { weekday: "long", day: "numeric", month: "long" });

const two = (number) => String(number).padStart(2, "0");
const dayOf = (at) => Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / DAY_MS;

function dateText(at, now) {
  const { weekday, day, month } = Object.fromEntries(names.formatToParts(at).map(({ type, value }) => [type, value]));
  const date = `${weekday} ${day} ${month}`;
  return at.getFullYear() === now.getFullYear() ? date : `${date} ${at.getFullYear()}`;
}

// As the server words it: any day but today is named in full, so that nobody mistakes tomorrow's 02:10 for tonight's.
function told(at, now, precise) {
  const seconds = precise ? `:${two(at.getSeconds())}` : "";
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
  const near = { "-1": "yesterday, ", 1: "tomorrow, " }[dayOf(at) - dayOf(now)] ?? "";
  return dayOf(at) === dayOf(now) ? `today, ${clock}` : `${near}${dateText(at, now)}, ${clock}`;
}

// The page was made at the server's time; a device with a wrong clock mustn't take tomorrow for today.
const made = Date.parse(document.body.dataset.now ?? "");
const now = new Date(Number.isNaN(made) ? Date.now() : made);

for (const spot of document.querySelectorAll("time[datetime]")) {
  const at = new Date(spot.dateTime);
  const text = spot.textContent;
  if (Number.isNaN(at.getTime()) || !text.endsWith(" UTC")) continue;
  const words = told(at, now, /\d:\d\d:\d\d/.test(text));
  spot.textContent = /^[A-Z]/.test(text) ? words[0].toUpperCase() + words.slice(1) : words;
  // Whoever is asked about it on the phone may have a record in UTC.
  spot.title = text;
}
