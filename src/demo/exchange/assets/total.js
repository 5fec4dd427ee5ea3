// Keeps «they get», fee and total true while the amount is typed. The server counts for itself.

const amount = document.getElementById("amount");
const unit = document.getElementById("unit");
const summary = document.getElementById("summary");
const balance = document.getElementById("balance");

function parts(text, decimals) {
  const found = /^(0|[1-9][0-9]{0,17})(?:\.([0-9]+))?$/.exec(text.trim());
  const fraction = found?.[2] ?? "";
  return found && fraction.length <= decimals ? BigInt(found[1] + fraction.padEnd(decimals, "0")) : null;
}

function text(count, decimals) {
  const digits = String(count).padStart(decimals + 1, "0");
  return decimals ? `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}` : digits;
}

function put(id, words) {
  document.getElementById(id).textContent = words;
}

function count() {
  const { decimals, fee, balance: owned } = unit.selectedOptions[0].dataset;
  const places = Number(decimals);
  const wanted = parts(amount.value, places);
  balance.textContent = `You have ${owned} ${unit.value}`;
  summary.hidden = wanted === null;
  if (wanted === null) return;
  put("gets", `${text(wanted, places)} ${unit.value}`);
  put("fee", `${fee} ${unit.value}`);
  put("total", `${text(wanted + parts(fee, places), places)} ${unit.value}`);
}

amount.addEventListener("input", count);
unit.addEventListener("change", count);
count();
