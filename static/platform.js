// The one thing we must know about a system: on iPhone and iPad, notices and lasting storage exist only for a page on the Home Screen.

export function isIos() {
  return /iPad|iPhone|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
}

export function isOnHomeScreen() {
  return navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;
}
