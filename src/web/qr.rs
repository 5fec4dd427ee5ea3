//! A link as a picture: a QR code (ISO/IEC 18004), as an SVG document that needs nothing from elsewhere.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// The text as an SVG document; empty when the text is longer than a QR code holds, which no link of ours is.
pub fn qr_svg(text: &str) -> String {
    // Level M survives 15 % of damage, which is what a screen photographed at an angle needs.
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else {
        return String::new();
    };
    let light = svg::Color("#ffffff");
    let dark = svg::Color("#000000");
    code.render::<svg::Color<'_>>().min_dimensions(240, 240).light_color(light).dark_color(dark).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_drawing_of_its_own() {
        let svg = qr_svg("https://approve.example/e/AAAAAAAAAAAAAAAAAAAAAA");
        assert!(svg.contains("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>"));
        assert!(!svg.contains("href") && !svg.contains("script"));
        assert_ne!(svg, qr_svg("https://approve.example/e/BBBBBBBBBBBBBBBBBBBBBB"));
    }

    #[test]
    fn a_text_that_does_not_fit_gives_nothing() {
        assert!(qr_svg(&"x".repeat(5_000)).is_empty());
    }
}
