// JSON to the server and back. What came back is either an answer, a known problem by its slug, or nothing we can know.

const PATIENCE_MS = 20_000;

// Thrown when nobody can say whether the server acted: no connection, no answer in time, or an answer from its inside.
export class Unknown extends Error {}

export async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, application/problem+json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.status === 204) return { ok: true, answer: null };
    if (response.ok) return { ok: true, answer: await response.json() };
  } catch (cause) {
    throw new Unknown("no answer", { cause });
  }
  if (response.status >= 500) throw new Unknown(`the server answered ${response.status}`);
  return { ok: false, ...(await problem(response)) };
}

// Its name, and which fields break which rules.
async function problem(response) {
  try {
    const { type, errors } = await response.json();
    return { slug: String(type ?? "").split("/").pop() || "unnamed", errors: Array.isArray(errors) ? errors : [] };
  } catch {
    return { slug: response.status === 429 ? "rate-limited" : "unnamed", errors: [] };
  }
}

// Only ever a path of this origin: an answer can't send the browser elsewhere.
export function go(path) {
  const target = new URL(path, location.origin);
  location.assign(target.origin === location.origin ? target.href : "/");
}
