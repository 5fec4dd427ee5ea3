//! The third-party report as a page that stands alone: it is sent to people who never see the console.

use askama::Template;

use crate::domain::report::ThirdParty;

/// The report of one operator.
#[derive(Template)]
#[template(path = "report/third_party.html")]
pub struct ThirdPartyPage {
    pub operator: String,
    pub report: ThirdParty,
}

/// A share as people read it.
pub fn percent(share: &f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::{Counts, Line, Range, Shares};
    use crate::domain::time::Timestamp;

    #[test]
    fn it_escapes_names_and_shows_every_employer() {
        let counts = Counts { privileged_actions: 3, overrides: 1, reveals: 2, access_changes: 0 };
        let shares = Shares { privileged_actions: 0.75, overrides: 1.0, reveals: 1.0, access_changes: 0.0 };
        let line = Line { employer: "<b>Callcentre</b>".into(), people: 2, counts, shares };
        let range = Range { from: Timestamp::EPOCH, to: Timestamp::from_micros(86_400_000_000) };
        let report = ThirdParty { range, lines: vec![line], total: counts, erased: 1 };
        let page = ThirdPartyPage { operator: "Harbour".into(), report }.render().unwrap();
        assert!(page.contains("75.0 %") && page.contains("Harbour"), "{page}");
        assert!(!page.contains("<b>Callcentre"), "{page}");
        assert!(page.contains("1 entry") || page.contains("1 entries"), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://"), "it fetches nothing");
    }
}
