//! Looks at a page: rules that every page keeps on a narrow and on a wide screen, and pictures of it.

use data_encoding::BASE64;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Browser, Screen};

/// Where the pictures are kept.
const PICTURES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../screenshots");

const THEMES: [&str; 2] = ["light", "dark"];

/// Gives every text whose contrast with what is behind it is too low: 4.5, or 3 for large text (WCAG 2.2, success
/// criterion 1.4.3). What can't be used for now needs none.
const CONTRAST: &str = r##"
const channel = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const numbers = (colour) => (colour.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
const light = ([red, green, blue]) => 0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
        const colour = numbers(getComputedStyle(one).backgroundColor);
        if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
};
const wrong = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled, noscript, script")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(numbers(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 60)}`);
}
return wrong;
"##;

/// Gives every rule of pages that this one breaks (reference: WCAG 2.2, success criteria 1.4.10, 2.4.1, 2.4.2, 2.5.8,
/// 3.1.1, 3.3.2 and 4.1.2).
const RULES: &str = r##"
const wrong = [];
const all = (css) => [...document.querySelectorAll(css)];
const seen = (element) => element.getClientRects().length > 0 && element.checkVisibility({ visibilityProperty: true });
const named = (element) => (element.getAttribute("aria-label") ?? element.innerText ?? "").trim() !== "";
if (document.documentElement.lang === "") wrong.push("no language");
if (!/\S – Harbour (approvals|console|Exchange)$/.test(document.title)) wrong.push(`the title «${document.title}»`);
if (all("h1").length !== 1) wrong.push(`${all("h1").length} headings of the first rank`);
if (all("main").length !== 1) wrong.push("no main part, or several");
const [first] = all("a[href], button, input, summary");
if (!first?.matches(".skip")) wrong.push("what takes the focus first isn't a way past the top");
for (const link of all("a[href^='#']")) {
    if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(`${link.outerHTML} leads nowhere`);
}
const ids = all("[id]").map((element) => element.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two elements are called ${id}`);
for (const one of all("[aria-describedby], [aria-labelledby]")) {
    for (const id of `${one.getAttribute("aria-describedby") ?? ""} ${one.getAttribute("aria-labelledby") ?? ""}`.split(/\s+/)) {
        if (id && !ids.includes(id)) wrong.push(`nothing is called ${id}`);
    }
}
for (const one of all("a, button").filter(seen)) if (!named(one)) wrong.push(`no name: ${one.outerHTML}`);
for (const one of all("input, select, textarea").filter(seen)) if (one.labels.length === 0) wrong.push(`no label: ${one.outerHTML}`);
for (const one of all("button, input, select, textarea, summary, a.btn").filter(seen)) {
    // A box that is ticked is as large as the label around it.
    const { width, height } = (one.closest("label") ?? one).getBoundingClientRect();
    if (width < 44 || height < 44) wrong.push(`too small for a thumb: ${one.outerHTML}`);
}
const [have, room] = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
if (have > room) wrong.push(`it scrolls sideways: ${have} in ${room}`);
if (all("#stop").length === 1 && !all("a.skip").some((link) => link.hash === "#stop")) wrong.push("no short way to the brake");
return wrong;
"##;

impl Screen {
    const ALL: [Self; 2] = [Self::Phone, Self::Desk];

    const fn size(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Desk => (1280, 800),
        }
    }
}

impl Browser {
    /// Makes the page as large as a screen.
    pub async fn show_on(&self, screen: Screen) {
        self.size(screen, screen.size().1).await;
    }

    async fn size(&self, screen: Screen, height: u32) {
        // A phone lays its scroll bar over the page and obeys the page's own word on its width.
        let mobile = screen == Screen::Phone;
        let metrics = json!({"width": screen.size().0, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Without motion, so that no picture shows a colour on its way to another.
    async fn theme(&self, theme: &str) {
        let wish = |name: &str, value: &str| json!({"name": name, "value": value});
        let features = [wish("prefers-color-scheme", theme), wish("prefers-reduced-motion", "reduce")];
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Checks the page on a phone and on a desk, and takes pictures of it there, light and dark; and, where it is longer
    /// than a phone, of all of it.
    pub async fn look(&self, name: &str) {
        for screen in Screen::ALL {
            self.show_on(screen).await;
            let wrong = self.script(RULES, Vec::new()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(wrong, json!([]), "{name} on {screen:?}; {}", self.shown().await);
            let (width, height) = screen.size();
            for theme in THEMES {
                self.theme(theme).await;
                let faint = self.script(CONTRAST, Vec::new()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(faint, json!([]), "{name}, {theme}");
                self.photograph(&format!("{name}-{width}x{height}-{theme}")).await;
            }
            if screen == Screen::Phone {
                let whole =
                    self.script("return document.documentElement.scrollHeight", Vec::new()).await.expect("a page");
                let whole = whole.as_u64().and_then(|pixels| pixels.try_into().ok()).expect("a height");
                if whole > height {
                    self.size(screen, whole).await;
                    for theme in THEMES {
                        self.theme(theme).await;
                        self.photograph(&format!("{name}-whole-{theme}")).await;
                    }
                }
            }
        }
        self.devtools("Emulation.setEmulatedMedia", json!({"features": []})).await;
        self.show_on(self.screen).await;
    }

    async fn photograph(&self, name: &str) {
        // Only a page in front is sure to paint the frame that the picture waits for.
        self.devtools("Page.bringToFront", json!({})).await;
        let shot = self.devtools("Page.captureScreenshot", json!({"format": "png", "optimizeForSpeed": true})).await;
        let bytes = shot["data"].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let place: PathBuf = Path::new(PICTURES).join(format!("{name}.png"));
        fs::create_dir_all(PICTURES).expect("a folder for the pictures");
        fs::write(&place, bytes.expect("a picture")).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    }
}
