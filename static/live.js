// A page that follows its approval: it reloads when the server has another version, and counts down to the server's deadline. It never decides.

const POLL_MS = 5_000;
const STANDBY_MS = 60_000;
const TROUBLES_BEFORE_POLLING = 3;
const SPOKEN_AT = [600, 300, 60];

const { base, version, now } = document.body.dataset;

// How far this device's clock is from the server's. The page was made when its first byte was on the way.
const [navigation] = performance.getEntriesByType("navigation");
let ahead = Date.parse(now ?? "") - (performance.timeOrigin + (navigation?.responseStart ?? 0)) || 0;

export function serverNow() {
  return Date.now() + ahead;
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Reloads when the version changes, but not under a running ceremony: `busy()` says when one is running. Gives a function that looks at once.
export function follow(busy = () => false) {
  let over = false;
  let polling = false;
  // A tap on the brake is on its way to the server, and a reload would take its place.
  let leaving = false;
  addEventListener("submit", () => {
    leaving = true;
  });

  async function saw(status) {
    const told = Date.parse(status.now);
    if (!Number.isNaN(told)) ahead = told - Date.now();
    if (over || String(status.version) === version) return;
    over = true;
    while (busy()) await wait(300);
    // If this version was reloaded for before and the page still isn't it, something between us is stale: don't spin.
    const mark = `countersign:reloaded:${base}`;
    const again = sessionStorage.getItem(mark) === String(status.version);
    sessionStorage.setItem(mark, String(status.version));
    if (again) await wait(10_000);
    if (leaving) return;
    // It is another page now: it begins at its heading.
    history.scrollRestoration = "manual";
    location.reload();
  }

  async function look() {
    try {
      const response = await fetch(`${base}/status`, { headers: { accept: "application/json" }, cache: "no-store" });
      if (response.ok) await saw(await response.json());
      return response.status;
    } catch {
      return 0;
    }
  }

  async function poll() {
    if (polling) return;
    polling = true;
    for (let pause = POLL_MS; !over; ) {
      await wait(pause);
      if (document.hidden) continue;
      const status = await look();
      if (status === 404 || status === 410) return;
      pause = status === 200 ? POLL_MS : Math.min(pause * 2, STANDBY_MS);
    }
  }

  function listen() {
    if (!("EventSource" in window)) {
      poll();
      return;
    }
    let troubles = 0;
    const events = new EventSource(`${base}/events`);
    events.addEventListener("status", (event) => {
      troubles = 0;
      saw(JSON.parse(event.data));
    });
    events.onerror = () => {
      troubles += 1;
      if (events.readyState === EventSource.CLOSED || troubles >= TROUBLES_BEFORE_POLLING) {
        events.close();
        poll();
      }
    };
  }

  listen();
  // A phone sleeps, and a proxy may hold events back in silence: look when the page comes forward, and once a minute in any case.
  document.addEventListener("visibilitychange", () => document.hidden || look());
  setInterval(() => document.hidden || look(), STANDBY_MS);
  // Out of the back-forward cache comes an old page.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  return look;
}

function face(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} m`;
}

function counted(count, unit) {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function leftText(seconds) {
  if (seconds <= 0) return "no time left";
  if (seconds < 60) return `${counted(seconds, "second")} left`;
  if (seconds < 3600) return `${counted(Math.floor(seconds / 60), "minute")} left`;
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = minutes ? ` ${counted(minutes, "minute")}` : "";
  return `${counted(Math.floor(seconds / 3600), "hour")}${rest} left`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Keeps every «42 minutes left» true. Quietly: nobody should hurry to approve.
export function keepLeftTexts(look = () => {}) {
  const spots = [...document.querySelectorAll("[data-left]")];
  if (spots.length === 0) return;
  let looked = false;
  setInterval(() => {
    for (const spot of spots) {
      const seconds = Math.floor((Date.parse(spot.dataset.left) - serverNow()) / 1000);
      put(spot, leftText(seconds));
      if (seconds <= 0 && !looked) {
        looked = true;
        look();
      }
    }
  }, 1_000);
}

// Runs the clock of a hold. At the end it says so and asks the server, every two seconds, what came of it.
export function runClock(look) {
  const hold = document.getElementById("hold");
  if (!hold) return;
  const clock = document.getElementById("clock");
  const used = document.getElementById("used");
  const spoken = document.getElementById("spoken");
  const until = Date.parse(hold.dataset.until);
  let before = Infinity;

  function tick() {
    const seconds = Math.max(0, Math.ceil((until - serverNow()) / 1000));
    used.value = used.max - Math.min(seconds, used.max);
    for (const mark of SPOKEN_AT) {
      if (before !== Infinity && before > mark && seconds <= mark) put(spoken, `${counted(mark / 60, "minute")} left to stop it.`);
    }
    if (seconds === 0) {
      hold.classList.add("clock--over");
      put(clock, "Being released…");
      if (before !== 0) put(spoken, "The time is over. It is being released.");
    } else {
      put(clock, face(seconds));
    }
    before = seconds;
  }

  tick();
  setInterval(tick, 250);
  setInterval(() => serverNow() >= until && !document.hidden && look(), 2_000);
}
