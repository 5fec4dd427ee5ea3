// The service worker: shows a notice when one is pushed, and opens its page when it is tapped. It caches nothing and answers no requests.

const FALLBACK = { title: "Your approvals", body: "Open your approvals to see what is new.", url: "/", tag: "countersign" };

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// Whatever came, something is shown: a browser takes the right to push from a page that stays silent.
function notice(data) {
  try {
    const { title, body, url, tag } = data.json();
    if (typeof title === "string" && title) return { title, body: String(body ?? ""), url: String(url ?? "/"), tag: String(tag ?? "countersign") };
  } catch {
    // Not ours, or cut off.
  }
  return FALLBACK;
}

self.addEventListener("push", (event) => {
  const { title, body, url, tag } = notice(event.data);
  event.waitUntil(
    self.registration.showNotification(title, {
      body,
      tag,
      renotify: true,
      requireInteraction: true,
      icon: "/static/icon-192.png",
      badge: "/static/badge-96.png",
      data: { url },
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const target = new URL(event.notification.data?.url ?? "/", self.location.origin);
  const href = target.origin === self.location.origin ? target.href : self.location.origin;
  event.waitUntil(open(href));
});

async function open(href) {
  for (const client of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) {
    if (client.url === href) return client.focus();
  }
  return self.clients.openWindow(href);
}

// The browser may change a subscription by itself; tell the server, or notices end in silence.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event));
});

async function renew(event) {
  const options = event.oldSubscription?.options;
  const fresh = event.newSubscription ?? (options && (await self.registration.pushManager.subscribe(options)));
  if (!fresh) return;
  await fetch("/push/subscribe", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subscription: fresh.toJSON() }),
    credentials: "same-origin",
  });
}
